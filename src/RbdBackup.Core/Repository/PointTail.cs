using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Repository;

/// <summary>What follows a new point's segments, however they were made: its index, its references, and the manifest that is yet to be committed.</summary>
internal static class PointTail
{
    /// <summary>Stores index and references.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="plan">The point's plan.</param>
    /// <param name="stored">Where the plan is stored.</param>
    /// <param name="attempt">The attempt that ends the point.</param>
    /// <param name="segments">Its segments, all of them, by number.</param>
    /// <param name="layout">The image's layout.</param>
    /// <param name="askedBy">Who asked for it.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <returns>The manifest, with what plan and segments say; the caller adds what only it knows.</returns>
    public static async Task<Manifest> PutAsync(
        PointRepository repository, PointPlan plan, ObjectReference stored, AttemptId attempt, IReadOnlyList<StoredSegment> segments, ImageLayout layout,
        AskedBy askedBy, CancellationToken cancel)
    {
        var head = plan.Head;
        var runs = PointIndex.Runs(head.Point, segments);
        var entries = PointIndex.Entries(Cutter.Cut(plan.Extents, head.Cut), segments, runs);
        var index = await repository.PutAsync(Keys.Index(head.Point, attempt), PointIndex.Write(head.Point, runs, entries, repository.Codec), cancel);
        Checkpoints.Pass("point.indexed");
        var bytes = segments.Sum(s => s.Length);
        var key = Keys.Manifest(head.Disk.Key, head.Point, 1, attempt, head.Kind, bytes);
        var references = await repository.PutReferencesAsync(
            Keys.References(head.Point, attempt), new ReferenceList(RepositoryFormat.Version, key, runs, [stored.Key, index.Key]), cancel);
        Checkpoints.Pass("point.referenced");
        return new Manifest
        {
            Format = RepositoryFormat.Version,
            RequiredFeatures = [FrameHash.Name],
            Point = head.Point,
            Revision = 1,
            Attempt = attempt,
            Created = head.Created,
            Kind = head.Kind,
            Reason = head.Reason,
            Disk = head.Disk,
            Snapshot = head.Snapshot,
            OlderSnapshots = [],
            Base = head.Base,
            Size = head.Size,
            Layout = layout,
            ImageMetadata = new Dictionary<string, string>(),
            Codec = repository.Codec.Name,
            Hash = FrameHash.Name,
            Segments = segments.Count,
            DataBytes = segments.Sum(s => s.DataBytes),
            ZeroBytes = segments.Sum(s => s.ZeroBytes),
            StoredBytes = bytes,
            Seconds = 0,
            Plan = stored,
            Index = index,
            References = references,
            AskedBy = askedBy,
            Tool = head.Tool,
            CrossCheck = head.CrossCheck,
        };
    }
}
