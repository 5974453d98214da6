using RbdBackup.Core.Jobs;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Restore;

/// <summary>A restore's journal and binding in RADOS, and the look at where its images are. Needs the lease on the target's name.</summary>
internal sealed class RestoreRecords(IImageCluster cluster, IStateStore state, ILease lease)
{
    private static readonly Dictionary<string, byte[]> Nothing = [];

    public async Task<RestoreJournal?> ReadAsync(CancellationToken cancel) =>
        (await state.ReadAsync(lease.Name, cancel)).TryGetValue(RestoreJournal.Key, out var json) ? RestoreJournal.Read(json) : null;

    public Task SaveAsync(RestoreJournal journal, CancellationToken cancel) =>
        lease.UpdateAsync(new Dictionary<string, byte[]> { [RestoreJournal.Key] = journal.Write() }, [], cancel);

    public Task RemoveAsync(CancellationToken cancel) => lease.UpdateAsync(Nothing, [RestoreJournal.Key], cancel);

    /// <summary>Where the ids are now.</summary>
    public async Task<RestoreSight> LookAsync(RestoreJournal journal, CancellationToken cancel)
    {
        var target = journal.TargetSpec;
        var trash = journal.OldImageId is null ? [] : await cluster.TrashListAsync(target.Pool, target.Namespace, cancel);
        return new RestoreSight(
            (await cluster.FindAsync(target, cancel))?.ImageId, (await cluster.FindAsync(journal.Scratch, cancel))?.ImageId,
            (await cluster.FindAsync(journal.Aside, cancel))?.ImageId, trash.Any(t => t.ImageId == journal.OldImageId));
    }

    /// <summary>Binds the new image to its point, in the new image's own state.</summary>
    public async Task BindAsync(RestoreJournal journal, RestoreBinding binding, CancellationToken cancel)
    {
        await using var image = await cluster.OpenAsync(journal.Scratch, writable: false, cancel);
        var info = await image.GetInfoAsync(cancel);
        await using var own = await state.AcquireAsync(StateKeys.Image(info), cancel);
        await new ImageJobs(state, own).BindAsync(binding, cancel);
    }
}
