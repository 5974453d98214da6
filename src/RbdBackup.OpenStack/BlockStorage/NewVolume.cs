using System.Text.Json.Nodes;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.BlockStorage;

/// <summary>A volume to be made, empty.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Size">Its size in GiB.</param>
public sealed record NewVolume(string Name, long Size)
{
    /// <summary>Its type; null for the cloud's default.</summary>
    public string? VolumeType { get; init; }

    /// <summary>Its availability zone; null for any.</summary>
    public string? AvailabilityZone { get; init; }

    /// <summary>Its description.</summary>
    public string? Description { get; init; }

    /// <summary>Metadata.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    internal JsonObject ToJson()
    {
        var volume = new JsonObject { ["name"] = Name, ["size"] = Size, ["metadata"] = CloudJson.Of(Metadata) };
        foreach (var (name, value) in new[] { ("volume_type", VolumeType), ("availability_zone", AvailabilityZone), ("description", Description) })
        {
            if (value is not null)
            {
                volume[name] = value;
            }
        }
        return volume;
    }
}
