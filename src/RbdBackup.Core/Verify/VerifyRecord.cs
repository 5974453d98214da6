using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>How a point is verified.</summary>
public enum VerifyKind
{
    /// <summary>Manifest and references prove themselves, and all objects that are needed are there, long enough.</summary>
    Quick,

    /// <summary>All that quick looks at, and every byte that a restore reads: fetched, decoded, proven.</summary>
    Data,

    /// <summary>The point against its snapshot in the cluster.</summary>
    Source,

    /// <summary>Restored into a scratch image, compared, removed.</summary>
    Restore,
}

/// <summary>Something that is not as it should be.</summary>
/// <param name="Where">The object's key, or the place in the image.</param>
/// <param name="What">What is wrong with it, for people.</param>
public sealed record Finding(string Where, string What);

/// <summary>The result of a verification of one point, stored beside the points, written once (docs/FORMAT.md).</summary>
public sealed record VerifyRecord
{
    /// <summary>The version of the format.</summary>
    public required int Format { get; init; }

    /// <summary>The point.</summary>
    public required PointId Point { get; init; }

    /// <summary>The revision of its manifest that was verified.</summary>
    public required int Revision { get; init; }

    /// <summary>How it was verified.</summary>
    public required VerifyKind Kind { get; init; }

    /// <summary>When it was done.</summary>
    public required DateTimeOffset Verified { get; init; }

    /// <summary>How long it took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>True where nothing was found.</summary>
    public required bool Ok { get; init; }

    /// <summary>The bytes of the image, or of stored objects (quick: none), that were looked at.</summary>
    public required long Bytes { get; init; }

    /// <summary>The share of the image that was compared, in percent; null where all was.</summary>
    public double? SamplePercent { get; init; }

    /// <summary>How much was found.</summary>
    public required long FindingCount { get; init; }

    /// <summary>The first findings; at most <see cref="Findings.Kept"/>.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>The program that verified.</summary>
    public required string Tool { get; init; }

    /// <summary>The bytes to store.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, VerifyJson.Default.VerifyRecord);
}

/// <summary>What the key of a verification's result tells.</summary>
/// <param name="Key">The key itself.</param>
/// <param name="Disk">The disk's part of the key (<see cref="Keys.Disk"/>).</param>
/// <param name="Point">The point.</param>
/// <param name="At">When it was verified.</param>
/// <param name="Kind">How.</param>
/// <param name="Ok">True where nothing was found.</param>
public sealed record VerifiedKey(string Key, string Disk, PointId Point, DateTimeOffset At, VerifyKind Kind, bool Ok);

/// <summary>What was found, from many threads; the first ones are kept, all are counted.</summary>
public sealed class Findings
{
    /// <summary>How many are kept: a lost disk in the store must not become a list of a million lines.</summary>
    public const int Kept = 100;

    private readonly Lock _lock = new();
    private readonly List<Finding> _first = [];

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>The first ones.</summary>
    public IReadOnlyList<Finding> First
    {
        get
        {
            lock (_lock)
            {
                return [.. _first];
            }
        }
    }

    /// <summary>Adds one.</summary>
    public void Add(string where, string what)
    {
        lock (_lock)
        {
            Count++;
            if (_first.Count < Kept && !_first.Any(f => f.Where == where && f.What == what))
            {
                _first.Add(new Finding(where, what));
            }
        }
    }

    /// <summary>Adds all of another.</summary>
    public void Add(Findings others)
    {
        foreach (var finding in others.First)
        {
            Add(finding.Where, finding.What);
        }

        lock (_lock)
        {
            Count += others.Count - others.First.Count;
        }
    }

    /// <summary>Runs a check; damage that it meets becomes a finding. False where there was some.</summary>
    /// <exception cref="RbdBackupException">All that is no damage: a store that does not answer says nothing about the point.</exception>
    public async Task<bool> TryAsync(string where, Func<Task> check)
    {
        try
        {
            await check();
            return true;
        }
        catch (RbdBackupException e) when (IsDamage(e))
        {
            Add(where, e.Message);
            return false;
        }
    }

    /// <summary>True for errors that mean: the stored bytes are not there, or not right.</summary>
    public static bool IsDamage(RbdBackupException e) => e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound;
}

/// <summary>The JSON of verifications' results.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(VerifyRecord))]
[JsonSerializable(typeof(ScratchRecord))]
public sealed partial class VerifyJson : JsonSerializerContext;
