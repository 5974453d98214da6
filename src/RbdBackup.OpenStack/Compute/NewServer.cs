using System.Text.Json.Nodes;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Compute;

/// <summary>A server to be made.</summary>
/// <param name="Name">Its name.</param>
/// <param name="FlavorId">Its flavor.</param>
public sealed record NewServer(string Name, string FlavorId)
{
    /// <summary>The image that its root disk is made of; null with a volume whose boot index is 0.</summary>
    public string? ImageId { get; init; }

    /// <summary>The sizes of its ephemeral disks, in GiB, in order: together no more than the flavor gives; empty for one of all that the flavor gives.</summary>
    public IReadOnlyList<int> Ephemerals { get; init; } = [];

    /// <summary>The volumes that it has from the start, in order.</summary>
    public IReadOnlyList<ServerVolume> Volumes { get; init; } = [];

    /// <summary>Its networks, in order; empty for none; null for what Neutron chooses by itself.</summary>
    public IReadOnlyList<ServerNetwork>? Networks { get; init; }

    /// <summary>Metadata.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>Tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>The key that it is given. Keys belong to users: it has to be one of ours.</summary>
    public string? KeyName { get; init; }

    /// <summary>The names of its security groups; null for the project's default.</summary>
    public IReadOnlyList<string>? SecurityGroups { get; init; }

    /// <summary>Its availability zone; null for any.</summary>
    public string? AvailabilityZone { get; init; }

    /// <summary>True for a config drive.</summary>
    public bool HasConfigDrive { get; init; }

    /// <summary>Its description.</summary>
    public string? Description { get; init; }

    internal JsonObject ToJson()
    {
        var server = new JsonObject
        {
            ["name"] = Name,
            ["flavorRef"] = FlavorId,
            ["networks"] = Networks switch { null => "auto", [] => "none", _ => Array(Networks.Select(network => network.ToJson())) },
        };
        AddIf(ImageId is not null, "imageRef", () => ImageId);
        AddIf(
            Ephemerals.Count + Volumes.Count > 0, "block_device_mapping_v2", () => Array([.. ImageDisk(), .. Ephemerals.Select(EphemeralDisk), .. Volumes.Select(volume => volume.ToJson())]));
        AddIf(Metadata.Count > 0, "metadata", () => CloudJson.Of(Metadata));
        AddIf(Tags.Count > 0, "tags", () => new JsonArray([.. Tags.Select(tag => (JsonNode)tag)]));
        AddIf(KeyName is not null, "key_name", () => KeyName);
        AddIf(SecurityGroups is not null, "security_groups", () => Array(SecurityGroups!.Select(group => new JsonObject { ["name"] = group })));
        AddIf(AvailabilityZone is not null, "availability_zone", () => AvailabilityZone);
        AddIf(HasConfigDrive, "config_drive", () => true);
        AddIf(Description is not null, "description", () => Description);
        return server;

        void AddIf(bool isThere, string name, Func<JsonNode?> value)
        {
            if (isThere)
            {
                server[name] = value();
            }
        }
    }

    /// <summary>Where disks are listed, the one that is made of the image has to be among them.</summary>
    private IEnumerable<JsonObject> ImageDisk() => ImageId is null ? [] :
    [
        new()
        {
            ["uuid"] = ImageId,
            ["source_type"] = "image",
            ["destination_type"] = "local",
            ["boot_index"] = 0,
            ["delete_on_termination"] = true,
        },
    ];

    private static JsonObject EphemeralDisk(int size) => new()
    {
        ["source_type"] = "blank",
        ["destination_type"] = "local",
        ["boot_index"] = -1,
        ["volume_size"] = size,
        ["delete_on_termination"] = true,
    };

    private static JsonArray Array(IEnumerable<JsonNode> items) => [.. items];
}

/// <summary>A volume that a new server has from the start.</summary>
/// <param name="VolumeId">The volume; it has to be available.</param>
/// <param name="BootIndex">0 for the disk that it boots from, 1 and more for the next tries; null for a disk that it does not boot from.</param>
/// <param name="Device">Such as <c>/dev/vdb</c>, which hypervisors take as a hint; null for the next one.</param>
/// <param name="DeleteOnTermination">True to delete it with the server.</param>
/// <param name="Tag">What the guest finds it by; null for nothing.</param>
public sealed record ServerVolume(string VolumeId, int? BootIndex = null, string? Device = null, bool DeleteOnTermination = false, string? Tag = null)
{
    internal JsonObject ToJson()
    {
        var disk = new JsonObject
        {
            ["uuid"] = VolumeId,
            ["source_type"] = "volume",
            ["destination_type"] = "volume",
            ["boot_index"] = BootIndex,
            ["delete_on_termination"] = DeleteOnTermination,
        };
        if (Device is not null)
        {
            disk["device_name"] = Device;
        }
        if (Tag is not null)
        {
            disk["tag"] = Tag;
        }
        return disk;
    }
}

/// <summary>A network of a new server's: a network, or a port that is there.</summary>
/// <param name="NetworkId">The network; null with a port.</param>
/// <param name="PortId">The port.</param>
/// <param name="FixedIp">The address in the network; null for any.</param>
public sealed record ServerNetwork(string? NetworkId = null, string? PortId = null, string? FixedIp = null)
{
    internal JsonObject ToJson()
    {
        var network = PortId is null ? new JsonObject { ["uuid"] = NetworkId } : new JsonObject { ["port"] = PortId };
        if (FixedIp is not null && PortId is null)
        {
            network["fixed_ip"] = FixedIp;
        }
        return network;
    }
}
