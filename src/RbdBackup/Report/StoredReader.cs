using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Rotate;
using RbdBackup.Core.Verify;

namespace RbdBackup.Report;

/// <summary>What a repository has of each image, from its catalogue and from the names of what verifications found.</summary>
internal static class StoredReader
{
    /// <summary>Reads it; disk by disk, so that only one disk's points are held.</summary>
    public static async Task<IReadOnlyDictionary<ImageSpec, StoredDisk>> ReadAsync(PointRepository repository, Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        var stored = new Dictionary<ImageSpec, StoredDisk>();
        var (points, bytes) = (new List<RotationPoint>(), 0L);
        await foreach (var (point, _, _) in new Catalogue(repository).ReadAsync(onDamaged, cancel))
        {
            if (points.Count > 0 && points[0].Disk != point.Disk.Key)
            {
                Add(stored, points, bytes);
                (points, bytes) = ([], 0);
            }

            points.Add(RotationPoint.Of(point));
            bytes += point.StoredBytes;
        }

        if (points.Count > 0)
        {
            Add(stored, points, bytes);
        }

        await AddVerifiedAsync(repository, stored, cancel);
        return stored;
    }

    private static void Add(Dictionary<ImageSpec, StoredDisk> stored, List<RotationPoint> points, long bytes)
    {
        // What stands on another disk's points is taken to be whole: verifications look.
        var own = points.Select(p => p.Point).ToHashSet();
        var elsewhere = points.Select(p => p.Needs).OfType<PointBase>().Where(n => n.Disk != points[0].Disk).Select(n => n.Point).Except(own).ToHashSet();
        var whole = RotationPoint.Whole(points, elsewhere);
        var last = points.Where(p => whole.Contains(p.Point)).MaxBy(p => (p.Created, p.Point));
        var image = Keys.ParseDisk(points[0].Disk).Image;
        var other = stored.GetValueOrDefault(image);
        var newer = other?.LastAt > last?.Created ? other : null;

        // Another cluster may have had an image of this name.
        stored[image] = new StoredDisk(
            points.Count + (other?.Points ?? 0), bytes + (other?.StoredBytes ?? 0), newer?.Last ?? last?.Point, newer?.LastAt ?? last?.Created,
            newer?.Project ?? points.MaxBy(p => p.Point)!.Project);
    }

    private static async Task AddVerifiedAsync(PointRepository repository, Dictionary<ImageSpec, StoredDisk> stored, CancellationToken cancel)
    {
        await foreach (var item in repository.Store.ListAsync(Keys.VerifiedPrefix, cancel))
        {
            if (Keys.TryParseVerified(item.Key) is not { Ok: true } result || !stored.TryGetValue(Keys.ParseDisk(result.Disk).Image, out var disk))
            {
                continue;
            }

            stored[Keys.ParseDisk(result.Disk).Image] = disk with
            {
                VerifiedAt = Later(disk.VerifiedAt, result.At),
                RestoredAt = result.Kind == VerifyKind.Restore ? Later(disk.RestoredAt, result.At) : disk.RestoredAt,
            };
        }

        var states = await VerifiedResults.ReadAsync(repository, null, cancel);
        foreach (var (image, disk) in stored.Where(s => s.Value.Last is { } last && states.GetValueOrDefault(last) is { Ok: false }).ToList())
        {
            stored[image] = disk with { Damaged = true };
        }
    }

    private static DateTimeOffset Later(DateTimeOffset? a, DateTimeOffset b) => a > b ? a.Value : b;
}
