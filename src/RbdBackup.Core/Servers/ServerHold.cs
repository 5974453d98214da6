using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Servers;

/// <summary>What was done to a server that has to be given back.</summary>
public enum HoldKind
{
    /// <summary>It was paused, and ran before.</summary>
    [JsonStringEnumMemberName("paused")]
    Paused,

    /// <summary>Its guest's file systems were frozen.</summary>
    [JsonStringEnumMemberName("frozen")]
    Frozen,

    /// <summary>Its root disk is being replaced: it may have been locked and stopped.</summary>
    [JsonStringEnumMemberName("restoring")]
    Restoring,

    /// <summary>It is being made of a server point, with its volumes: what is not whole has to go.</summary>
    [JsonStringEnumMemberName("making")]
    Making,
}

/// <summary>
/// What a server has to be given back, in RADOS beside its lease, written before anything is done to it: whoever finds it without a holder gives it back.
/// </summary>
public sealed record ServerHold
{
    /// <summary>The record's name in the server's state object.</summary>
    public const string Key = "hold";

    /// <summary>What was done.</summary>
    public required HoldKind Kind { get; init; }

    /// <summary>The server; where it is being made, the id that marks what is made for it.</summary>
    public required string Server { get; init; }

    /// <summary>Since when.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>Where the worker or command runs that did it.</summary>
    public required string Holder { get; init; }

    /// <summary>The host that the server is on; null where it is not known.</summary>
    public string? Host { get; init; }

    /// <summary>True where it ran before.</summary>
    public bool Ran { get; init; }

    /// <summary>True where we locked it.</summary>
    public bool Locked { get; init; }

    /// <summary>The image that is being replaced; null where none is.</summary>
    public string? Image { get; init; }

    /// <summary>The name of the server that is being made; null where none is.</summary>
    public string? NewName { get; init; }

    /// <summary>The names of the volumes that are being made with it; none where an older record lacks them.</summary>
    public IReadOnlyList<string> NewVolumes { get; init => field = value ?? []; } = [];

    /// <summary>The bytes to store.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, ServerHoldJson.Default.ServerHold);

    /// <summary>The hold among a server's records; null where there is none.</summary>
    /// <exception cref="RbdBackupException">Corrupt.</exception>
    public static ServerHold? Find(IReadOnlyDictionary<string, byte[]> records)
    {
        try
        {
            return records.TryGetValue(Key, out var json) ? JsonSerializer.Deserialize(json, ServerHoldJson.Default.ServerHold) : null;
        }
        catch (JsonException e)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"the record of what was done to a server can't be read: {e.Message}", "Look whether the server is paused, locked or stopped, and put it right by hand.", e);
        }
    }
}

/// <summary>The JSON of holds.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ServerHold))]
public sealed partial class ServerHoldJson : JsonSerializerContext;
