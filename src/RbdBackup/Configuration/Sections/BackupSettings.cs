#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>How images are read.</summary>
[Section("backup", "How images are read.")]
public sealed record BackupSettings
{
    [Option("16", "How many reads of one image are under way at a time.", Min = "1", Max = "256")]
    public required int ReadsInFlight { get; init; }

    [Option("200MiB/s", "How fast one worker, or one command, reads at most, all its images together; 0 for no limit.")]
    public required ByteRate Throttle { get; init; }

    [Option(
        "1%",
        "How much of what the object maps call unchanged each increment compares all the same, at most 800 objects a run, others each time; a map that is wrong is "
        + "answered by a full and an alarm. 0 turns it off.")]
    public required Percent CrossCheck { get; init; }

    [Option("30s", "For how long a server's guest may be paused or frozen, at most, while the snapshots of its disks are made; past it the server point fails, and the guest runs on.", Min = "1s", Max = "10m")]
    public required TimeSpan HoldLimit { get; init; }

    [Option(
        null,
        "How the libvirt of a compute host is reached by virsh, such as qemu+tls://{host}/system; {host} is the server's host. It is needed for consistency = frozen, and has server points keep "
        + "libvirt's description of the server; without it, neither.")]
    public required string? LibvirtUri { get; init; }
}
