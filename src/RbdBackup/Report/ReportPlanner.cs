using RbdBackup.Core.Model;

namespace RbdBackup.Report;

/// <summary>A disk that is there now.</summary>
/// <param name="Image">Its image.</param>
/// <param name="Kind"><c>server</c>, <c>volume</c>, or <c>image</c> where no service is known to have it.</param>
/// <param name="Id">The server's or volume's id; null for an image.</param>
/// <param name="Name">What its project calls it; null where it has no name.</param>
/// <param name="Project">Its project; null where none is known.</param>
/// <param name="Policy">The policy that its metadata give it; null for none.</param>
/// <param name="Why">Why it has none, for the operator; null where nobody asked.</param>
internal sealed record PresentDisk(ImageSpec Image, string Kind, string? Id, string? Name, string? Project, string? Policy, string? Why);

/// <summary>What the repository has of an image.</summary>
/// <param name="Points">How many points.</param>
/// <param name="StoredBytes">What they take in the store, without what others share.</param>
/// <param name="Last">The newest point that can be read with all that it stands on.</param>
/// <param name="LastAt">When it was taken.</param>
/// <param name="Project">The project that its newest point was made for; null where none is known.</param>
internal sealed record StoredDisk(int Points, long StoredBytes, PointId? Last, DateTimeOffset? LastAt, string? Project)
{
    /// <summary>When a point of it was last verified, in whatever way, and found whole; null: never.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>When a point of it was last restored and compared; null: never.</summary>
    public DateTimeOffset? RestoredAt { get; init; }

    /// <summary>True where a verification found damage that no later one took back.</summary>
    public bool Damaged { get; init; }
}

/// <summary>How a disk is.</summary>
internal enum ReportState
{
    /// <summary>A policy backs it up, and there is a point.</summary>
    Protected,

    /// <summary>A policy backs it up, and there is no point yet.</summary>
    Waiting,

    /// <summary>No policy backs it up.</summary>
    Unprotected,

    /// <summary>It is not there any more; there are points.</summary>
    Gone,

    /// <summary>Its cluster could not be asked; there are points.</summary>
    Unknown,
}

/// <summary>A line of the report.</summary>
/// <param name="Disk">The disk.</param>
/// <param name="State">How it is.</param>
/// <param name="Policy">The policy that backs it up; null for none.</param>
/// <param name="Reason">Why it is not protected; null where it is.</param>
/// <param name="Stored">What the repository has of it.</param>
internal sealed record ReportLine(PresentDisk Disk, ReportState State, string? Policy, string? Reason, StoredDisk Stored);

/// <summary>Says of every disk whether it is protected, and of those that are not, why. Pure.</summary>
internal static class ReportPlanner
{
    private static readonly StoredDisk Nothing = new(0, 0, null, null, null);

    /// <summary>The lines, project by project, then by image.</summary>
    /// <param name="present">The disks that are there.</param>
    /// <param name="scheduled">The policies that the operator gave to images or to whole pools.</param>
    /// <param name="stored">What the repository has.</param>
    /// <param name="silent">The clusters that could not be asked; the default one by an empty name.</param>
    public static IReadOnlyList<ReportLine> Plan(
        IReadOnlyCollection<PresentDisk> present, IReadOnlyDictionary<ImageSpec, string> scheduled, IReadOnlyDictionary<ImageSpec, StoredDisk> stored,
        IReadOnlyCollection<string>? silent = null)
    {
        var there = present.Select(d => d.Image).ToHashSet();
        var gone = stored.Where(s => !there.Contains(s.Key)).Select(s => new ReportLine(
            new PresentDisk(s.Key, "image", null, null, s.Value.Project, null, null), Hidden(s.Key) ? ReportState.Unknown : ReportState.Gone, null,
            Hidden(s.Key) ? "its cluster could not be asked" : "its image is not there any more", s.Value));
        bool Hidden(ImageSpec image) => silent?.Contains(image.Cluster ?? "") == true;
        return [.. present.Select(d => Line(d, scheduled, stored.GetValueOrDefault(d.Image) ?? Nothing)).Concat(gone)
            .OrderBy(l => l.Disk.Project, StringComparer.Ordinal).ThenBy(l => l.Disk.Image.ToString(), StringComparer.Ordinal)];
    }

    private static ReportLine Line(PresentDisk disk, IReadOnlyDictionary<ImageSpec, string> scheduled, StoredDisk stored)
    {
        var policy = disk.Policy ?? scheduled.GetValueOrDefault(disk.Image);
        disk = disk with { Project = disk.Project ?? stored.Project };
        return policy is null
            ? new ReportLine(disk, ReportState.Unprotected, null, disk.Why ?? "no policy asks for it", stored)
            : new ReportLine(disk, stored.Last is null ? ReportState.Waiting : ReportState.Protected, policy, stored.Last is null ? "there is no point that can be read" : null, stored);
    }
}
