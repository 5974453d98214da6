using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>What a repository holds of a disk.</summary>
/// <param name="Committed">All points that the next one could have to do with, oldest first.</param>
/// <param name="Candidates">Those that an increment on the present image could stand on.</param>
internal sealed record KnownPoints(IReadOnlyList<Manifest> Committed, IReadOnlyList<BaseCandidate> Candidates);

/// <summary>
/// Finds the points that an image's next increment could stand on. Nothing marks the base: it is a committed point whose image and snapshot ids are
/// in this cluster, or the point that the image was restored from.
/// </summary>
internal sealed class BaseFinder(string fsid, PointRepository repository, ImageJobs jobs)
{
    public async Task<KnownPoints> FindAsync(ImageInfo info, CancellationToken cancel)
    {
        var disk = Keys.Disk(fsid, info.Spec);
        var points = await repository.ReadDiskAsync(disk, null, cancel);
        var whole = Whole(points);
        var candidates = whole.Where(p => p.Key.Disk.ImageId == info.ImageId && p.Key.Disk.PoolId == info.PoolId)
            .Select(p => Candidate(p.Key, p.Value)).ToList();

        if (await jobs.ReadBindingAsync(cancel) is { } binding)
        {
            var bound = binding.Disk == disk ? points : await repository.ReadDiskAsync(binding.Disk, null, cancel);
            var found = Whole(bound).FirstOrDefault(p => p.Key.Point == binding.Point);
            if (found.Key is { } manifest)
            {
                points = binding.Disk == disk ? points : [.. points, manifest];

                // Nothing is older than the snapshot of a restored image, and it has no parent: what it shows was written to it.
                candidates.Add(new BaseCandidate(manifest.Point, binding.Disk, binding.SnapshotId, [], manifest.Size, null, null, found.Value));
            }
        }

        return new KnownPoints(points, candidates);
    }

    /// <summary>The points whose chain is whole, and when the full was made that it started with, though that may be gone.</summary>
    private static Dictionary<Manifest, DateTimeOffset> Whole(IReadOnlyList<Manifest> points)
    {
        var starts = new Dictionary<PointId, DateTimeOffset>();
        var whole = new Dictionary<Manifest, DateTimeOffset>(ReferenceEqualityComparer.Instance);
        foreach (var point in points.OrderBy(p => p.Snapshot.Id).ThenBy(p => p.Point))
        {
            if (point.Needs is not { } below || starts.ContainsKey(below.Point))
            {
                starts[point.Point] = point.Needs is null ? point.ChainStart ?? point.Created : starts[point.Needs.Point];
                whole[point] = starts[point.Point];
            }
        }

        return whole;
    }

    private static BaseCandidate Candidate(Manifest manifest, DateTimeOffset chainStart) =>
        new(manifest.Point, manifest.Disk.Key, manifest.Snapshot.Id, manifest.OlderSnapshots, manifest.Size, manifest.Parent, manifest.Base?.SnapshotId, chainStart);
}
