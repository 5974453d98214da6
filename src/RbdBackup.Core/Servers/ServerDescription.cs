namespace RbdBackup.Core.Servers;

/// <summary>What a server was when its point was taken: enough to make one like it. What is null was not known.</summary>
/// <param name="Flavor">Its flavor.</param>
/// <param name="ImageId">The Glance image that it was made of; null for one that boots from a volume.</param>
/// <param name="ImageName">That image's name.</param>
/// <param name="Volumes">Its volumes, by device.</param>
/// <param name="Ports">Its ports, in the order of its interfaces.</param>
/// <param name="Metadata">What its project wrote on it.</param>
/// <param name="KeyName">The key that it was given.</param>
/// <param name="SecurityGroups">The names of its security groups.</param>
/// <param name="AvailabilityZone">Its availability zone.</param>
/// <param name="ConfigDrive">True where it has a config drive.</param>
/// <param name="Text">Its description.</param>
/// <param name="Tags">Its tags.</param>
/// <param name="Host">The host that it was on.</param>
/// <param name="RootDevice">Its root disk's device, such as <c>/dev/vda</c>.</param>
/// <param name="Status">Its status.</param>
/// <param name="DomainXml">libvirt's description of it; null where that could not be reached.</param>
/// <param name="ImageMetadata">What Nova reads of that image, such as <c>hw_disk_bus</c>: a volume that takes the place of the root disk is given it.</param>
public sealed record ServerDescription(
    FlavorDescription? Flavor,
    string? ImageId,
    string? ImageName,
    IReadOnlyList<VolumeDescription> Volumes,
    IReadOnlyList<PortDescription> Ports,
    IReadOnlyDictionary<string, string> Metadata,
    string? KeyName,
    IReadOnlyList<string> SecurityGroups,
    string? AvailabilityZone,
    bool ConfigDrive,
    string? Text,
    IReadOnlyList<string> Tags,
    string? Host,
    string? RootDevice,
    string Status,
    string? DomainXml,
    IReadOnlyDictionary<string, string>? ImageMetadata = null);

/// <summary>A flavor.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Vcpus">Processors.</param>
/// <param name="Ram">Memory in MiB.</param>
/// <param name="Disk">The root disk in GiB.</param>
/// <param name="Ephemeral">Ephemeral disks in GiB.</param>
/// <param name="Swap">Swap in MiB.</param>
/// <param name="ExtraSpecs">Its extra specs.</param>
public sealed record FlavorDescription(string Name, int Vcpus, int Ram, int Disk, int Ephemeral, int Swap, IReadOnlyDictionary<string, string> ExtraSpecs);

/// <summary>A volume of a server.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Text">Its description.</param>
/// <param name="Size">Its size in GiB.</param>
/// <param name="Type">Its type.</param>
/// <param name="AvailabilityZone">Its availability zone.</param>
/// <param name="Bootable">True where a server may boot from it.</param>
/// <param name="Device">Such as <c>/dev/vdb</c>.</param>
/// <param name="BootIndex">0 for what the server boots from; null for others.</param>
/// <param name="DeleteOnTermination">True where it goes with the server.</param>
/// <param name="Tag">What the guest finds it by.</param>
/// <param name="Metadata">What its project wrote on it.</param>
/// <param name="ImageMetadata">What Nova reads of its image.</param>
public sealed record VolumeDescription(
    string Id,
    string? Name,
    string? Text,
    long Size,
    string? Type,
    string? AvailabilityZone,
    bool Bootable,
    string? Device,
    int? BootIndex,
    bool DeleteOnTermination,
    string? Tag,
    IReadOnlyDictionary<string, string> Metadata,
    IReadOnlyDictionary<string, string> ImageMetadata);

/// <summary>A port of a server.</summary>
/// <param name="Network">The network's id; its name where only that is known.</param>
/// <param name="Port">The port's id; null where it is not known.</param>
/// <param name="Mac">Its MAC address.</param>
/// <param name="FixedIps">Its addresses in the network.</param>
public sealed record PortDescription(string Network, string? Port, string? Mac, IReadOnlyList<string> FixedIps);
