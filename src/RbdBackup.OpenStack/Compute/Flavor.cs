using System.Text.Json.Serialization;

namespace RbdBackup.OpenStack.Compute;

/// <summary>A flavor.</summary>
/// <param name="Id">Its id, any text.</param>
/// <param name="Name">Its name.</param>
/// <param name="Vcpus">Processors.</param>
/// <param name="Ram">Memory in MiB.</param>
/// <param name="Disk">The root disk in GiB.</param>
/// <param name="Ephemeral">Ephemeral disks in GiB.</param>
/// <param name="Swap">Swap in MiB.</param>
/// <param name="ExtraSpecs">Its extra specs; null where we may not see them.</param>
public sealed record Flavor(
    string Id,
    string Name,
    int Vcpus,
    int Ram,
    int Disk,
    [property: JsonPropertyName("OS-FLV-EXT-DATA:ephemeral")] int Ephemeral = 0,
    int Swap = 0,
    IReadOnlyDictionary<string, string>? ExtraSpecs = null);
