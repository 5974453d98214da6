using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Restore;

namespace RbdBackup.Core.Release;

/// <summary>Something of ours in the cluster.</summary>
/// <param name="Kind"><c>snapshot</c>, <c>trash</c> (an image that a restore replaced), <c>image</c> (one that a restore or a verification was filling), <c>records</c>.</param>
/// <param name="On">The image, <c>pool/name</c>, with <c>@name</c> of a snapshot; or the state object.</param>
/// <param name="Left">Why it is still there; null where it is gone.</param>
public sealed record UnprotectedThing(string Kind, string On, string? Left);

/// <summary>
/// Takes all that is ours out of a cluster: snapshots, what restores put into the trash, images that nobody finished, and all records with their leases. The store
/// keeps its points. Each step may be repeated; workers must be stopped, or they begin anew.
/// </summary>
public sealed class UnprotectRunner(IImageCluster cluster, IStateStore state, SnapshotNaming naming)
{
    private const string Prefix = "rbdbackup.";

    /// <summary>One image: its snapshots of ours and its records. Its next backup is a full.</summary>
    /// <param name="spec">The image.</param>
    /// <param name="dryRun">True: only says what there is.</param>
    /// <param name="cancel">Ends it between two steps.</param>
    /// <exception cref="RbdBackupException">NotFound; Busy: a backup of it runs.</exception>
    public async Task<IReadOnlyList<UnprotectedThing>> RunAsync(ImageSpec spec, bool dryRun, CancellationToken cancel)
    {
        var info = await cluster.FindAsync(spec, cancel)
            ?? throw new RbdBackupException(ErrorKind.NotFound, $"there is no image {spec}", $"'rbd ls {spec.Pool}' shows the images of its pool.");
        var (name, things) = (StateKeys.Image(info), info.Snapshots.Where(naming.IsOurs).Select(s => new UnprotectedThing("snapshot", $"{spec}@{s.Name}", null)).ToList());
        var records = await state.ReadAsync(name, cancel);
        if (records.Count > 0)
        {
            things.Add(new UnprotectedThing("records", name, null));
        }

        if (!dryRun && things.Count > 0)
        {
            await using var lease = await state.AcquireAsync(name, cancel);
            if (info.Snapshots.Any(naming.IsOurs))
            {
                await using var image = await cluster.OpenAsync(spec, writable: true, cancel);
                await DiskReleaser.RemoveAsync(image, naming.IsOurs, cancel);
            }

            await lease.DeleteAsync(cancel);
        }

        return things;
    }

    /// <summary>Everything of ours: in these pools, and in our own.</summary>
    /// <param name="pools">The pools, and namespaces, that backups were made of.</param>
    /// <param name="dryRun">True: only says what there is.</param>
    /// <param name="cancel">Ends it between two steps.</param>
    /// <exception cref="RbdBackupException">Busy: somebody works at something; Refused: a restore was not finished. Then nothing was removed.</exception>
    public async Task<IReadOnlyList<UnprotectedThing>> RunAllAsync(IReadOnlyCollection<(string Pool, string Namespace)> pools, bool dryRun, CancellationToken cancel)
    {
        var things = new List<UnprotectedThing>();
        await RefuseIfInUseAsync(cancel);
        foreach (var (pool, ns) in pools)
        {
            foreach (var image in await cluster.ListImagesAsync(pool, ns, cancel))
            {
                var spec = new ImageSpec(pool, ns, image);
                things.AddRange(image.StartsWith(Prefix, StringComparison.Ordinal) ? [await UnfinishedAsync(spec, dryRun, cancel)] : await TryAsync(spec, dryRun, cancel));
            }

            foreach (var entry in (await cluster.TrashListAsync(pool, ns, cancel)).Where(t => t.Name.StartsWith(Prefix, StringComparison.Ordinal)))
            {
                things.Add(await ReplacedAsync(pool, ns, entry, dryRun, cancel));
            }
        }

        await foreach (var name in state.ListAsync(cancel))
        {
            if (things.TrueForAll(t => t.On != name || dryRun))
            {
                things.Add(new UnprotectedThing("records", name, null));
            }

            if (!dryRun)
            {
                await using var lease = await state.AcquireAsync(name, cancel);
                await lease.DeleteAsync(cancel);
            }
        }

        return [.. things.DistinctBy(t => (t.Kind, t.On))];
    }

    private async Task RefuseIfInUseAsync(CancellationToken cancel)
    {
        await foreach (var name in state.ListAsync(cancel))
        {
            if (await state.GetHolderAsync(name, cancel) is { } holder)
            {
                throw new RbdBackupException(
                    ErrorKind.Busy, $"{holder} works at {name}", "Stop the workers and wait for commands to end; what died lets go within [ceph] lease_duration. Nothing was removed.");
            }

            if ((await state.ReadAsync(name, cancel)).TryGetValue(RestoreJournal.Key, out var json) && RestoreJournal.Read(json) is { Done: false } journal)
            {
                throw new RbdBackupException(
                    ErrorKind.Refused, $"the restore of {journal.Point} to {journal.Target} was not finished, so its images may be the only ones",
                    $"Run 'rbdbackup restore' for it again, or 'rbdbackup restore --undo {journal.Target}'. Nothing was removed.");
            }
        }
    }

    private async Task<IReadOnlyList<UnprotectedThing>> TryAsync(ImageSpec spec, bool dryRun, CancellationToken cancel)
    {
        try
        {
            return await RunAsync(spec, dryRun, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return [];
        }
        catch (RbdBackupException e)
        {
            return [new UnprotectedThing("snapshot", spec.ToString(), e.Message)];
        }
    }

    /// <summary>An image that a verification was filling, or a restore that is forgotten; no finished restore has one. That one is aside only while names change hands.</summary>
    private async Task<UnprotectedThing> UnfinishedAsync(ImageSpec spec, bool dryRun, CancellationToken cancel)
    {
        if (spec.Name.EndsWith(".old", StringComparison.Ordinal))
        {
            return new UnprotectedThing("image", spec.ToString(), "a restore put it aside, and nothing says any more whether its place was taken: rename or remove it by hand");
        }

        return new UnprotectedThing("image", spec.ToString(), await WhyLeftAsync(
            dryRun,
            async () =>
            {
                await using (var image = await cluster.OpenAsync(spec, writable: true, cancel))
                {
                    await DiskReleaser.RemoveAsync(image, naming.IsOurs, cancel);
                }

                await cluster.RemoveAsync(spec, cancel);
            }));
    }

    private async Task<UnprotectedThing> ReplacedAsync(string pool, string ns, TrashEntry entry, bool dryRun, CancellationToken cancel) =>
        new("trash", new ImageSpec(pool, ns, entry.Name).ToString(), await WhyLeftAsync(
            dryRun,
            async () =>
            {
                await using (var image = await cluster.OpenByIdAsync(pool, ns, entry.ImageId, writable: true, cancel))
                {
                    await DiskReleaser.RemoveAsync(image, naming.IsOurs, cancel);
                    if ((await image.GetInfoAsync(cancel)).Snapshots.Count > 0)
                    {
                        throw new RbdBackupException(ErrorKind.Refused, "it has snapshots that are not ours", "Look at it by hand.");
                    }
                }

                await cluster.TrashRemoveAsync(pool, ns, entry.ImageId, cancel);
            }));

    private static async Task<string?> WhyLeftAsync(bool dryRun, Func<Task> remove)
    {
        try
        {
            await (dryRun ? Task.CompletedTask : remove());
            return null;
        }
        catch (RbdBackupException e)
        {
            return e.Message;
        }
    }
}
