using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>How a probe ended.</summary>
public enum ProbeOutcome
{
    /// <summary>As one would wish.</summary>
    Good,

    /// <summary>Not so; the detail says what follows from it.</summary>
    Warning,

    /// <summary>The store must not be used: it loses or changes what it took.</summary>
    Bad,

    /// <summary>It could not be found out.</summary>
    Unknown,
}

/// <summary>What a probe found.</summary>
/// <param name="Probe">What was tried.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Detail">What was found, and what follows, for people.</param>
public sealed record ProbeResult(string Probe, ProbeOutcome Outcome, string Detail);

/// <summary>
/// Tries out what a store really does, with small objects of its own under <c>probe/</c>, removed afterwards. Nothing in a repository rests on what is found
/// beyond this: an object that was stored can be read, whole and in parts.
/// </summary>
public sealed class StoreProber(IObjectStore store, TimeProvider time)
{
    /// <summary>Where its objects are.</summary>
    public const string Prefix = "probe/";

    private const int Races = 5, Writers = 4;

    private static readonly TimeSpan MaxSkew = TimeSpan.FromMinutes(1);

    private readonly string _prefix = $"{Prefix}{Guid.CreateVersion7(time.GetUtcNow()):D}/";
    private readonly byte[] _content = [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * 7))];

    /// <summary>Runs all probes.</summary>
    /// <exception cref="RbdBackupException">The store can't be written to at all.</exception>
    public async Task<IReadOnlyList<ProbeResult>> RunAsync(CancellationToken cancel)
    {
        try
        {
            await store.PutAsync($"{_prefix}object", new ReadOnlySequence<byte>(_content), cancel);
            List<ProbeResult> results = [await ReadBackAsync(cancel), await ListAsync(cancel), await RangeAsync(cancel), await ClockAsync(cancel)];
            if (store is IStoreProbe probe)
            {
                results.AddRange([await RaceAsync(probe, cancel), await ChecksumAsync(probe, cancel), await VersioningAsync(probe, cancel)]);
            }

            results.Add(await DeleteAsync(cancel));
            return results;
        }
        finally
        {
            await foreach (var left in store.ListAsync(_prefix, CancellationToken.None))
            {
                await store.DeleteAsync(left.Key, CancellationToken.None);
            }
        }
    }

    private async Task<ProbeResult> ReadBackAsync(CancellationToken cancel) =>
        (await store.GetAsync($"{_prefix}object", _content.Length, cancel)).AsSpan().SequenceEqual(_content)
            ? new("read after write", ProbeOutcome.Good, "an object is read as it was stored")
            : new("read after write", ProbeOutcome.Bad, "an object is read back with other bytes");

    private async Task<ProbeResult> ListAsync(CancellationToken cancel)
    {
        var listed = await store.ListAsync(_prefix, cancel).FirstOrDefaultAsync(cancel);
        return listed?.Length == _content.Length
            ? new("listing after write", ProbeOutcome.Good, "an object is listed as soon as it is stored")
            : new("listing after write", ProbeOutcome.Warning, "an object is not listed at once; new points may show up late, and nothing is deleted because a listing lacks it");
    }

    private async Task<ProbeResult> RangeAsync(CancellationToken cancel)
    {
        var part = new byte[1000];
        await store.GetRangeAsync($"{_prefix}object", 4321, part, cancel);
        return part.AsSpan().SequenceEqual(_content.AsSpan(4321, part.Length))
            ? new("range read", ProbeOutcome.Good, "parts of objects can be read")
            : new("range read", ProbeOutcome.Bad, "a part of an object comes back with other bytes");
    }

    private async Task<ProbeResult> ClockAsync(CancellationToken cancel)
    {
        if (await store.StatAsync($"{_prefix}object", cancel) is not { } stored)
        {
            return new("clock", ProbeOutcome.Bad, "an object that was stored is not found by its name");
        }

        var skew = stored.Modified - time.GetUtcNow();
        return skew.Duration() <= MaxSkew
            ? new("clock", ProbeOutcome.Good, $"the store's clock and this machine's differ by {skew.Duration().TotalSeconds:0} s at most")
            : new("clock", ProbeOutcome.Warning, $"the store's clock is {Math.Abs(skew.TotalSeconds):0} s {(skew > TimeSpan.Zero ? "ahead of" : "behind")} this machine's; set them right, gc's grace must be longer than that");
    }

    /// <summary>Writers race for a key, several times: of a condition that holds, one wins each time.</summary>
    private async Task<ProbeResult> RaceAsync(IStoreProbe probe, CancellationToken cancel)
    {
        var wrong = 0;
        for (var race = 0; race < Races; race++)
        {
            var key = $"{_prefix}race.{race}";
            var tries = Enumerable.Range(0, Writers).Select(n => probe.PutIfAbsentAsync(key, new ReadOnlySequence<byte>([(byte)n]), cancel));
            var won = await Task.WhenAll(tries);
            if (won.Contains(null))
            {
                return new("conditional write", ProbeOutcome.Unknown, "the store has no condition for writing; nothing rests on one");
            }

            wrong += won.Count(w => w == true) == 1 ? 0 : 1;
        }

        return wrong == 0
            ? new("conditional write", ProbeOutcome.Good, $"of {Writers} writers of one key one wins, {Races} times of {Races}; nothing rests on it")
            : new("conditional write", ProbeOutcome.Warning, $"of {Writers} writers of one key more or fewer than one won, {wrong} times of {Races}; nothing rests on it");
    }

    private async Task<ProbeResult> ChecksumAsync(IStoreProbe probe, CancellationToken cancel) =>
        await probe.RefusesWrongChecksumAsync($"{_prefix}checksum", cancel) switch
        {
            true => new("checksum", ProbeOutcome.Good, "an upload whose checksum is wrong is refused"),
            false => new("checksum", ProbeOutcome.Warning, "an upload whose checksum is wrong is taken; damage on the way is found by 'verify --data' only"),
            null => new("checksum", ProbeOutcome.Unknown, "the store takes no checksums"),
        };

    private static async Task<ProbeResult> VersioningAsync(IStoreProbe probe, CancellationToken cancel) => await probe.GetVersioningAsync(cancel) switch
    {
        StoreVersioning.None => new("versioning", ProbeOutcome.Good, "deleted objects take no room"),
        StoreVersioning.Enabled => new("versioning", ProbeOutcome.Warning,
            "the store keeps versions: what gc deletes goes on taking room behind delete markers; give the bucket a lifecycle rule for noncurrent versions and expired delete markers"),
        StoreVersioning.Suspended => new("versioning", ProbeOutcome.Warning, "versioning is suspended: versions from before still take room"),
        _ => new("versioning", ProbeOutcome.Unknown, "the store did not say whether it keeps versions"),
    };

    private async Task<ProbeResult> DeleteAsync(CancellationToken cancel)
    {
        await store.DeleteAsync($"{_prefix}object", cancel);
        var (found, listed) = (await store.StatAsync($"{_prefix}object", cancel), await store.ListAsync($"{_prefix}object", cancel).AnyAsync(cancel));
        return found is null && !listed
            ? new("deletion", ProbeOutcome.Good, "a deleted object is gone at once")
            : new("deletion", ProbeOutcome.Warning, $"a deleted object is still {(found is null ? "listed" : "found")} for a while; gc copes with that");
    }
}
