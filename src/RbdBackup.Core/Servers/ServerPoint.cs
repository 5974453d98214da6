using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Servers;

/// <summary>What the disks of a server point are, taken together.</summary>
public enum Consistency
{
    /// <summary>The guest ran: each disk is as after a loss of power, and they differ by as much as the snapshots are apart.</summary>
    [JsonStringEnumMemberName("crash")]
    Crash,

    /// <summary>The guest's processors stood: all disks are of one instant, as after a loss of power.</summary>
    [JsonStringEnumMemberName("paused")]
    Paused,

    /// <summary>The guest's file systems were frozen: all disks are of one instant, and need no repair.</summary>
    [JsonStringEnumMemberName("frozen")]
    Frozen,

    /// <summary>The server was off.</summary>
    [JsonStringEnumMemberName("clean")]
    Clean,
}

/// <summary>What a disk is to its server.</summary>
public enum DiskRole
{
    /// <summary>Nova's disk that it boots from.</summary>
    [JsonStringEnumMemberName("root")]
    Root,

    /// <summary>Nova's disk that goes with the server.</summary>
    [JsonStringEnumMemberName("ephemeral")]
    Ephemeral,

    /// <summary>A volume of Cinder's; it may be what the server boots from.</summary>
    [JsonStringEnumMemberName("volume")]
    Volume,
}

/// <summary>A disk of a server point.</summary>
/// <param name="Role">What it is.</param>
/// <param name="Volume">Cinder's id; null where it is no volume.</param>
/// <param name="Device">Its device, such as <c>/dev/vdb</c>; null where nobody said.</param>
/// <param name="BootIndex">0 for what the server boots from; null for others.</param>
/// <param name="Point">Its point.</param>
/// <param name="Disk">The disk's part of keys (<see cref="Keys.Disk"/>).</param>
/// <param name="Image">The image, <c>pool/name</c>.</param>
/// <param name="Size">The image's size, in bytes.</param>
public sealed record ServerPointDisk(DiskRole Role, string? Volume, string? Device, int? BootIndex, PointId Point, string Disk, string Image, long Size);

/// <summary>A disk of the server that is not in the point.</summary>
/// <param name="Image">The image, or the volume's id where the image is not known.</param>
/// <param name="Why">Why.</param>
public sealed record SkippedDisk(string Image, string Why);

/// <summary>
/// The commit of a server point: written last, small, JSON, with a digest of its own. Its disks' points are ordinary ones. It is whole while all of them are there.
/// </summary>
public sealed record ServerPoint
{
    /// <summary>The version of the format; <see cref="RepositoryFormat.Version"/>.</summary>
    public required int Format { get; init; }

    /// <summary>What a reader must know.</summary>
    public required IReadOnlyList<string> RequiredFeatures { get; init; }

    /// <summary>Its id, of the kind that points have.</summary>
    public required PointId Id { get; init; }

    /// <summary>Who wrote it.</summary>
    public required AttemptId Attempt { get; init; }

    /// <summary>The server's id.</summary>
    public required string Server { get; init; }

    /// <summary>The server's project; null where it is not known.</summary>
    public required string? Project { get; init; }

    /// <summary>The server's name then; null where it is not known.</summary>
    public required string? Name { get; init; }

    /// <summary>When the snapshots were begun.</summary>
    public required DateTimeOffset Moment { get; init; }

    /// <summary>What the disks are, taken together.</summary>
    public required Consistency Consistency { get; init; }

    /// <summary>What was asked for, where that could not be had; else null.</summary>
    public required Consistency? Asked { get; init; }

    /// <summary>Why it could not be had; else null.</summary>
    public required string? WhyNot { get; init; }

    /// <summary>From when the first snapshot was asked for to when the last one was there, in milliseconds.</summary>
    public required long SpreadMs { get; init; }

    /// <summary>For how long the guest was paused or frozen, in milliseconds; null where it was not.</summary>
    public required long? HeldMs { get; init; }

    /// <summary>The disks, the one that it boots from first.</summary>
    public required IReadOnlyList<ServerPointDisk> Disks { get; init; }

    /// <summary>The disks that are not in it.</summary>
    public required IReadOnlyList<SkippedDisk> Skipped { get; init; }

    /// <summary>What the server was.</summary>
    public required ServerDescription Description { get; init; }

    /// <summary>Who asked.</summary>
    public required AskedBy AskedBy { get; init; }

    /// <summary>The policy in force; null where none was.</summary>
    public required string? Policy { get; init; }

    /// <summary>The program that made it.</summary>
    public required string Tool { get; init; }

    /// <summary>Its own key.</summary>
    public string Key => Keys.ServerPoint(Server, Id, Attempt);

    /// <summary>The disk that the server boots from; null where that is not in the point.</summary>
    public ServerPointDisk? Root => Disks.FirstOrDefault(d => d.Role == DiskRole.Root) ?? Disks.FirstOrDefault(d => d.BootIndex == 0);
}
