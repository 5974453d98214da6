using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>Where a point's snapshot is.</summary>
/// <param name="ImageId">The image that has it.</param>
/// <param name="SnapshotId">The snapshot.</param>
internal sealed record SourceSnapshot(string ImageId, ulong SnapshotId);

/// <summary>Finds the snapshot that a point was read from, or that a restore of it left as its base, by ids.</summary>
internal sealed class SourceFinder(IImageCluster cluster, IStateStore state)
{
    /// <summary>The snapshot, or why there is none.</summary>
    public async Task<(SourceSnapshot? Snapshot, string Why)> FindAsync(Manifest point, CancellationToken cancel)
    {
        if (point.Disk.ClusterFsid != await cluster.GetFsidAsync(point.Disk.Pool, cancel))
        {
            return (null, $"it was made in another cluster ({point.Disk.ClusterFsid})");
        }

        var info = await LookAsync(point.Disk.Spec, cancel);
        if (info is null)
        {
            return (null, "its image is gone");
        }

        var snapshot = info.ImageId == point.Disk.ImageId && info.PoolId == point.Disk.PoolId ? point.Snapshot.Id : await BoundAsync(info, point, cancel);
        return snapshot is { } id && info.Snapshots.Any(s => s.Id == id)
            ? (new SourceSnapshot(info.ImageId, id), "")
            : (null, "its snapshot is no longer on the image");
    }

    private async Task<ImageInfo?> LookAsync(ImageSpec spec, CancellationToken cancel)
    {
        try
        {
            return await cluster.FindAsync(spec, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Its pool is gone too.
            return null;
        }
    }

    private async Task<ulong?> BoundAsync(ImageInfo info, Manifest point, CancellationToken cancel)
    {
        var records = await state.ReadAsync(StateKeys.Image(info), cancel);
        var binding = records.TryGetValue(StateKeys.Binding, out var json) ? JsonSerializer.Deserialize(json, JobJson.Default.RestoreBinding) : null;
        return binding?.Point == point.Point ? binding.SnapshotId : null;
    }
}
