using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Backup;

/// <summary>
/// The backup of one image in the hands of somebody who makes several at a time: the steps of <see cref="BackupRunner"/>, each when the others are ready for it. It holds
/// the image's lease until it is disposed.
/// </summary>
public sealed class DiskBackup : IAsyncDisposable
{
    private readonly Parts _parts;
    private IImage? _image;
    private JobRecord? _job;
    private PreparedPoint? _prepared;

    internal DiskBackup(Parts parts) => (_parts, _image) = (parts, parts.Image);

    /// <summary>The image as it was found under the lease.</summary>
    public ImageInfo Info => _parts.Info;

    /// <summary>Cancelled when the image's lease is lost.</summary>
    public CancellationToken Lost => _parts.Lease.Lost;

    /// <summary>The point; once it is begun.</summary>
    public PointId Point => _job!.Point;

    /// <summary>The disk, as keys name it; once its data are stored.</summary>
    public string Disk => _prepared!.Manifest.Disk.Key;

    /// <summary>True once there is something that has to be ended.</summary>
    public bool IsBegun => _job is not null;

    /// <summary>Writes the job's record, before anything is made.</summary>
    public async Task BeginAsync(ServerPointReference serverPoint) => _job = await _parts.BeginAsync(serverPoint);

    /// <summary>Makes the snapshot. The image was opened before, so that it takes no longer than it must.</summary>
    public async Task SnapshotAsync(CancellationToken cancel) => _job = await _parts.Attempt.SnapshotAsync(Info.Spec, _job!, _image, cancel);

    /// <summary>Stores data, index and references.</summary>
    public async Task PrepareAsync(IProgressReporter progress, CancellationToken cancel)
    {
        await CloseAsync();
        _prepared = await _parts.Attempt.PrepareAsync(Info.Spec, _job!, progress, cancel);
    }

    /// <summary>Commits the point.</summary>
    public Task<Manifest> CommitAsync(CancellationToken cancel) => _parts.Attempt.CommitAsync(_prepared!, cancel);

    /// <summary>After the commit of all that belongs together: from here on the point is like any other. The old base goes, then the record.</summary>
    public async Task ReleaseAsync(CancellationToken cancel)
    {
        _job = _job! with { State = JobState.Committed, ServerPoint = null };
        await _parts.Jobs.SaveAsync(_job, cancel);
        await _parts.Finisher.ReleaseAsync(Info.Spec, _job, _prepared!.Manifest, cancel);
    }

    /// <summary>Voids the point, committed or not, and removes its snapshot and record.</summary>
    public async Task GiveUpAsync(JobState state, string why, CancellationToken cancel)
    {
        await CloseAsync();
        await _parts.Finisher.GiveUpAsync(Info.Spec, _job!, state, why, cancel);
    }

    /// <summary>True where somebody asked for the job's end.</summary>
    public Task<bool> IsCancelledAsync(CancellationToken cancel) => _parts.Jobs.IsCancelledAsync(Point, cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await _parts.Lease.DisposeAsync();
    }

    private async Task CloseAsync()
    {
        var image = _image;
        _image = null;
        await (image?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    /// <summary>What it works with.</summary>
    internal sealed record Parts(
        ILease Lease, ImageJobs Jobs, JobFinisher Finisher, BackupAttempt Attempt, IImage Image, ImageInfo Info, Func<ServerPointReference, Task<JobRecord>> BeginAsync);
}
