using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Volumes;

/// <summary>A server that a restore keeps from its volume, and what it was before.</summary>
/// <param name="Id">The server.</param>
/// <param name="Ran">True where it ran, and is to be started again.</param>
/// <param name="WasLocked">True where somebody else had locked it, and it stays so.</param>
internal sealed record HeldServer(string Id, bool Ran, bool WasLocked);

/// <summary>
/// What a restore into a volume does to the cloud around it, in the volume's state object, written before it does it: whoever comes next knows what to give
/// back.
/// </summary>
internal sealed record VolumeJournal
{
    private const string Key = "journal";

    /// <summary>The restore's id; the attachment that holds the volume bears it in the place of a server's.</summary>
    public required Guid Restore { get; init; }

    /// <summary>The volume; null for one that may not be made yet.</summary>
    public string? Volume { get; init; }

    /// <summary>The point; null where a restore is undone.</summary>
    public PointId? Point { get; init; }

    /// <summary>The servers that have the volume; none where a record lacks them.</summary>
    public IReadOnlyList<HeldServer> Servers { get; init => field = value ?? []; } = [];

    /// <summary>True where a tenant asked for it by the volume's metadata.</summary>
    public bool ForTenant { get; init; }

    /// <summary>How often it was tried.</summary>
    public int Tries { get; init; }

    /// <summary>When it was begun.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>The journal in a state object; null where there is none.</summary>
    public static async Task<VolumeJournal?> ReadAsync(IStateStore state, string name, CancellationToken cancel)
    {
        try
        {
            return (await state.ReadAsync(name, cancel)).TryGetValue(Key, out var json) ? JsonSerializer.Deserialize(json, VolumeJson.Default.VolumeJournal) : null;
        }
        catch (JsonException e)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"the journal of a restore into a volume ({name}) can't be read: {e.Message}",
                "Unlock and start the volume's servers, or delete its attachment, by hand; then remove the object from the state pool.", e);
        }
    }

    /// <summary>Writes it.</summary>
    public Task SaveAsync(ILease lease, CancellationToken cancel) =>
        lease.UpdateAsync(new Dictionary<string, byte[]> { [Key] = JsonSerializer.SerializeToUtf8Bytes(this, VolumeJson.Default.VolumeJournal) }, [], cancel);

    /// <summary>Removes it.</summary>
    public static Task RemoveAsync(ILease lease, CancellationToken cancel) => lease.UpdateAsync(new Dictionary<string, byte[]>(), [Key], cancel);
}

/// <summary>How it is written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(VolumeJournal))]
internal sealed partial class VolumeJson : JsonSerializerContext;
