using System.Text.Json.Serialization;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Compute;

/// <summary>
/// A server as Nova shows it. Where the server's cell does not answer, Nova shows little more than its id, with <see cref="Status"/> <c>UNKNOWN</c>:
/// what is null then is not known.
/// </summary>
public sealed record Server
{
    /// <summary>Its id, a UUID.</summary>
    public required string Id { get; init; }

    /// <summary>Its name; null where it is not known.</summary>
    public string? Name { get; init; }

    /// <summary>Such as <c>ACTIVE</c>, <c>SHUTOFF</c>, <c>PAUSED</c>, <c>SHELVED_OFFLOADED</c>, <c>DELETED</c>, or <c>UNKNOWN</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Its project.</summary>
    [JsonPropertyName("tenant_id")]
    public required string ProjectId { get; init; }

    /// <summary>Who made it.</summary>
    public string? UserId { get; init; }

    /// <summary>What its project wrote on it; null where it is not known.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>The image that it was made of; null for one that boots from a volume.</summary>
    [JsonPropertyName("image"), JsonConverter(typeof(ReferenceConverter))]
    public string? ImageId { get; init; }

    /// <summary>Its flavor as it was when the server was made; null where it is not known.</summary>
    public ServerFlavor? Flavor { get; init; }

    /// <summary>When it was made; UTC.</summary>
    public DateTimeOffset? Created { get; init; }

    /// <summary>When it last changed; UTC.</summary>
    public DateTimeOffset? Updated { get; init; }

    /// <summary>Its addresses, by network.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<ServerAddress>>? Addresses { get; init; }

    /// <summary>The key that it was given; null where it was given none.</summary>
    public string? KeyName { get; init; }

    /// <summary>Its availability zone; empty where it has none.</summary>
    [JsonPropertyName("OS-EXT-AZ:availability_zone")]
    public string? AvailabilityZone { get; init; }

    /// <summary>The host that it is on; null where it is on none, or where we may not see it.</summary>
    [JsonPropertyName("OS-EXT-SRV-ATTR:host")]
    public string? Host { get; init; }

    /// <summary>Its hypervisor's name for it, such as <c>instance-00000007</c>; null where we may not see it.</summary>
    [JsonPropertyName("OS-EXT-SRV-ATTR:instance_name")]
    public string? InstanceName { get; init; }

    /// <summary>True where it has a config drive.</summary>
    [JsonPropertyName("config_drive"), JsonConverter(typeof(TextTruthConverter))]
    public bool HasConfigDrive { get; init; }

    /// <summary>Its root disk's device, such as <c>/dev/vda</c>; null where we may not see it.</summary>
    [JsonPropertyName("OS-EXT-SRV-ATTR:root_device_name")]
    public string? RootDevice { get; init; }

    /// <summary>What is being done to it, such as <c>deleting</c>; null for nothing.</summary>
    [JsonPropertyName("OS-EXT-STS:task_state")]
    public string? TaskState { get; init; }

    /// <summary>Such as <c>active</c> or <c>stopped</c>.</summary>
    [JsonPropertyName("OS-EXT-STS:vm_state")]
    public string? VmState { get; init; }

    /// <summary>The volumes that are attached to it, in no order.</summary>
    [JsonPropertyName("os-extended-volumes:volumes_attached")]
    public IReadOnlyList<AttachedVolume>? Volumes { get; init; }

    /// <summary>True where its project can't change it now.</summary>
    public bool Locked { get; init; }

    /// <summary>Why it is locked; null where nobody said.</summary>
    public string? LockedReason { get; init; }

    /// <summary>Its description; null where it has none.</summary>
    public string? Description { get; init; }

    /// <summary>Its tags.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Its security groups.</summary>
    public IReadOnlyList<NamedReference>? SecurityGroups { get; init; }

    /// <summary>What went wrong; null where nothing did.</summary>
    public ServerFault? Fault { get; init; }

    /// <summary>True where Nova could not ask the server's cell.</summary>
    [JsonIgnore]
    public bool IsUnknown => Status == "UNKNOWN";
}

/// <summary>The flavor as a server keeps it: it has no id, since the flavor may be gone.</summary>
/// <param name="OriginalName">The flavor's name when the server was made.</param>
/// <param name="Vcpus">Processors.</param>
/// <param name="Ram">Memory in MiB.</param>
/// <param name="Disk">The root disk in GiB; 0 for the image's own size, or with a volume.</param>
/// <param name="Ephemeral">Ephemeral disks in GiB.</param>
/// <param name="Swap">Swap in MiB.</param>
/// <param name="ExtraSpecs">Its extra specs; null where we may not see them.</param>
public sealed record ServerFlavor(
    string OriginalName, int Vcpus, int Ram, int Disk, int Ephemeral, int Swap, IReadOnlyDictionary<string, string>? ExtraSpecs = null);

/// <summary>An address of a server's.</summary>
/// <param name="Address">The address.</param>
/// <param name="Version">4 or 6.</param>
/// <param name="Type"><c>fixed</c> or <c>floating</c>.</param>
/// <param name="MacAddress">Its port's MAC address.</param>
public sealed record ServerAddress(
    [property: JsonPropertyName("addr")] string Address,
    int Version,
    [property: JsonPropertyName("OS-EXT-IPS:type")] string? Type = null,
    [property: JsonPropertyName("OS-EXT-IPS-MAC:mac_addr")] string? MacAddress = null);

/// <summary>A volume in a server's own description.</summary>
/// <param name="Id">The volume's id.</param>
/// <param name="DeleteOnTermination">True where it goes with the server.</param>
public sealed record AttachedVolume(string Id, bool DeleteOnTermination = false);

/// <summary>Something that has a name.</summary>
/// <param name="Name">The name.</param>
public sealed record NamedReference(string Name);

/// <summary>What went wrong with a server.</summary>
/// <param name="Code">A status, as HTTP has them.</param>
/// <param name="Message">What Nova says.</param>
public sealed record ServerFault(int Code, string? Message = null);
