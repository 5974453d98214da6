using RbdBackup.Core.Servers;

namespace RbdBackup.Commands;

/// <summary>A server point in <c>--json</c>; docs/commands.md promises these names.</summary>
internal sealed record ServerPointDocument(
    string Id, string Server, string? Project, string? Name, DateTimeOffset Moment, Consistency Consistency, Consistency? Asked, string? WhyNot, long SpreadMs, long? HeldMs,
    bool Whole, IReadOnlyList<ServerDiskDocument> Disks, IReadOnlyList<SkippedDisk> Skipped, string? Policy)
{
    public static ServerPointDocument Of(ServerPoint p, bool whole) => new(
        p.Id.ToString(), p.Server, p.Project, p.Name, p.Moment, p.Consistency, p.Asked, p.WhyNot, p.SpreadMs, p.HeldMs, whole,
        [.. p.Disks.Select(d => new ServerDiskDocument(d.Point.ToString(), d.Role, d.Volume, d.Device, d.BootIndex, d.Image, d.Size))], p.Skipped, p.Policy);
}

/// <summary>A disk of a server point in <c>--json</c>.</summary>
internal sealed record ServerDiskDocument(string Point, DiskRole Role, string? Volume, string? Device, int? BootIndex, string Image, long Size);
