using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Servers;

/// <summary>A disk of a server that shall be in a server point.</summary>
/// <param name="Image">The image.</param>
/// <param name="Role">What it is to the server.</param>
/// <param name="Volume">Cinder's id; null where it is no volume.</param>
/// <param name="Device">Its device; null where nobody said.</param>
/// <param name="BootIndex">0 for what the server boots from; null for others.</param>
public sealed record ServerDisk(ImageSpec Image, DiskRole Role, string? Volume = null, string? Device = null, int? BootIndex = null);

/// <summary>A server point that is asked for.</summary>
/// <param name="Server">The server's id.</param>
/// <param name="Project">Its project.</param>
/// <param name="Name">Its name.</param>
/// <param name="Disks">Its disks, the one that it boots from first; at least one.</param>
/// <param name="Skipped">The disks that are left out.</param>
/// <param name="Description">What the server is.</param>
/// <param name="Full">True: fulls, whatever bases there are.</param>
/// <param name="Policy">The policy that asks; null where none does.</param>
/// <param name="CycleDays">After how many days a full is due; null: never.</param>
/// <param name="AskedBy">Who asks.</param>
public sealed record ServerBackupAsk(
    string Server, string? Project, string? Name, IReadOnlyList<ServerDisk> Disks, IReadOnlyList<SkippedDisk> Skipped, ServerDescription Description,
    bool Full, string? Policy, int? CycleDays, AskedBy AskedBy)
{
    /// <summary>The id of the point, where it is written down before; null for a new one.</summary>
    public PointId? Point { get; init; }
}

/// <summary>How a guest was held while its disks' snapshots were made.</summary>
/// <param name="Consistency">What the disks are.</param>
/// <param name="HeldMs">For how long it was held, in milliseconds; null where it was not.</param>
/// <param name="Asked">What was asked for, where that could not be had; else null.</param>
/// <param name="WhyNot">Why it could not be had; else null.</param>
public sealed record HeldMoment(Consistency Consistency, long? HeldMs = null, Consistency? Asked = null, string? WhyNot = null);

/// <summary>Holds a server's guest as still as was asked for while snapshots are made, and lets it go again whatever happens.</summary>
public interface IServerMoment
{
    /// <summary>Lets go what a dead run still holds.</summary>
    /// <param name="server">The lease of the server.</param>
    /// <param name="cancel">Ends the wait.</param>
    Task ClearAsync(ILease server, CancellationToken cancel);

    /// <summary>Makes the snapshots while the guest is held.</summary>
    /// <param name="server">The lease of the server, whose records say what has to be given back.</param>
    /// <param name="snapshots">Makes all of them; its token ends where the guest must not be held any longer.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="RbdBackupException">They could not be made in the time for which the guest may be held; or as they give.</exception>
    Task<HeldMoment> DuringAsync(ILease server, Func<CancellationToken, Task> snapshots, CancellationToken cancel);
}
