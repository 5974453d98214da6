using System.Runtime.CompilerServices;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Release;

/// <summary>What a sweep works with.</summary>
/// <param name="ServerPool">The pool of Nova's disks.</param>
/// <param name="VolumePool">The pool of Cinder's volumes.</param>
/// <param name="Grace">How long after its release an orphan stays where it is.</param>
/// <param name="Deferment">How long the trash keeps it.</param>
/// <param name="Naming">How our snapshots are called.</param>
public sealed record SweepOptions(string ServerPool, string VolumePool, TimeSpan Grace, TimeSpan Deferment, SnapshotNaming Naming);

/// <summary>What a sweep found.</summary>
/// <param name="Steps">What was done, or would be.</param>
/// <param name="OldDisks">The disks of servers that were rebuilt and have their old disk nevertheless.</param>
/// <param name="Errors">What could not be looked at, or done.</param>
public sealed record SweepResult(IReadOnlyList<SweepStep> Steps, IReadOnlyList<ImageSpec> OldDisks, IReadOnlyList<RbdBackupException> Errors);

/// <summary>
/// Finds what a release that came too late, or never, has left behind: our snapshots on what its cloud no longer has, and rebuilt servers with their old
/// disks. Each step may be repeated. Where no cloud is known (<paramref name="servers"/> is null) servers' disks are left alone.
/// </summary>
public sealed class SweepRunner(
    IImageCluster cluster, IStateStore state, IServerDirectory? servers, DiskReleaser releaser, SweepOptions options, TimeProvider time)
{
    private readonly Dictionary<Guid, DateTimeOffset?> _rebuiltSeen = [];
    private HashSet<ImageSpec> _oldDisks = [];

    /// <summary>One sweep.</summary>
    /// <param name="dryRun">True: nothing is done.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/>: another sweep runs.</exception>
    public async Task<SweepResult> RunAsync(bool dryRun, CancellationToken cancel)
    {
        await using var lease = dryRun ? null : await state.AcquireAsync(StateKeys.Sweep(options.ServerPool), cancel);
        var (steps, errors) = (new List<SweepStep>(), new List<RbdBackupException>());
        var found = ServerDisksAsync(errors, cancel).Concat(DeletedVolumesAsync(errors, cancel))
            .Concat(TrashAsync(options.VolumePool, errors, cancel)).Concat(TrashAsync(options.ServerPool, errors, cancel));
        await foreach (var image in found)
        {
            if (SweepPlanner.Decide(image, time.GetUtcNow(), options.Grace) is { } step)
            {
                steps.Add(step);
                await TryAsync(errors, () => dryRun ? Task.CompletedTask : DoAsync(step, cancel));
            }
        }

        return new SweepResult(steps, [.. _oldDisks], errors);
    }

    private async Task DoAsync(SweepStep step, CancellationToken cancel)
    {
        switch (step)
        {
            case { Action: SweepAction.Release, Place: SweptPlace.Server }:
                await releaser.ReleaseAsync(step.Image, DiskHold.Deleting, cancel);
                break;
            case { Action: SweepAction.Release }:
                await using (var image = await cluster.OpenByIdAsync(step.Image.Pool, step.Image.Namespace, step.ImageId, writable: true, cancel))
                {
                    await DiskReleaser.RemoveAsync(image, options.Naming.IsOurs, cancel);
                }

                break;
            case { Action: SweepAction.Trash }:
                // The name may mean another image by now.
                if ((await cluster.FindAsync(step.Image, cancel))?.ImageId == step.ImageId)
                {
                    await cluster.TrashMoveAsync(step.Image, options.Deferment, cancel);
                }

                break;
        }
    }

    /// <summary>The disks of servers that are not there. Images are listed before servers: a server is there before its disk.</summary>
    private async IAsyncEnumerable<SweptImage> ServerDisksAsync(List<RbdBackupException> errors, [EnumeratorCancellation] CancellationToken cancel)
    {
        if (servers is null)
        {
            yield break;
        }

        var disks = (await cluster.ListImagesAsync(options.ServerPool, "", cancel)).Select(n => (Name: n, Server: ServerOf(n))).Where(d => d.Server is not null).ToList();
        var known = await servers.ListAsync(cancel);
        await LookForOldDisksAsync(disks.Where(d => known.ContainsKey(d.Server!.Value)).Select(d => (d.Name, d.Server!.Value)), known, errors, cancel);
        foreach (var group in disks.Where(d => !known.ContainsKey(d.Server!.Value)).GroupBy(d => d.Server!.Value))
        {
            var fate = await servers.FindAsync(group.Key, cancel);
            foreach (var (name, _) in group)
            {
                if (fate.State != OwnerState.Present && await LookAsync(new ImageSpec(options.ServerPool, name), fate, errors, cancel) is { } image)
                {
                    yield return image;
                }
            }
        }
    }

    private async IAsyncEnumerable<SweptImage> DeletedVolumesAsync(List<RbdBackupException> errors, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var name in (await cluster.ListImagesAsync(options.VolumePool, "", cancel)).Where(n => n.EndsWith(".deleted", StringComparison.Ordinal)))
        {
            ImageInfo? info = null;
            await TryAsync(errors, async () => info = await cluster.FindAsync(new ImageSpec(options.VolumePool, name), cancel));
            if (info is not null)
            {
                yield return Found(info, SweptPlace.DeletedVolume);
            }
        }
    }

    /// <summary>The trash, without what a restore put there: that must come back as it was.</summary>
    private async IAsyncEnumerable<SweptImage> TrashAsync(string pool, List<RbdBackupException> errors, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var entry in (await cluster.TrashListAsync(pool, "", cancel)).Where(e => !e.Name.StartsWith("rbdbackup.", StringComparison.Ordinal)))
        {
            ImageInfo? info = null;
            await TryAsync(errors, async () =>
            {
                await using var image = await cluster.OpenByIdAsync(pool, "", entry.ImageId, writable: false, cancel);
                info = await image.GetInfoAsync(cancel);
            });
            if (info is not null)
            {
                yield return Found(info, SweptPlace.Trash) with { Image = new ImageSpec(pool, entry.Name), ImageId = entry.ImageId };
            }
        }
    }

    private SweptImage Found(ImageInfo info, SweptPlace place)
    {
        var ours = info.Snapshots.Count(options.Naming.IsOurs);
        return new SweptImage(info.Spec, info.ImageId, place, OwnerState.Deleted, ours, info.Snapshots.Count - ours, false, null, false);
    }

    private async Task<SweptImage?> LookAsync(ImageSpec spec, ServerFate fate, List<RbdBackupException> errors, CancellationToken cancel)
    {
        SweptImage? seen = null;
        await TryAsync(errors, async () =>
        {
            await using var image = await cluster.OpenAsync(spec, writable: false, cancel);
            var info = await image.GetInfoAsync(cancel);
            var records = await state.ReadAsync(StateKeys.Image(info), cancel);
            seen = Found(info, SweptPlace.Server) with
            {
                Owner = fate.State,
                Open = (await image.ListWatchersAsync(cancel)).Any(w => !w.Own),
                Hold = DiskHold.Of(records),
                IsNewer = info.Created > fate.Deleted,
            };
        });
        return seen;
    }

    /// <summary>Looks at the root disks of servers that changed since they were looked at.</summary>
    private async Task LookForOldDisksAsync(
        IEnumerable<(string Name, Guid Server)> disks, IReadOnlyDictionary<Guid, KnownServer> known, List<RbdBackupException> errors, CancellationToken cancel)
    {
        var old = new HashSet<ImageSpec>();
        foreach (var (name, server) in disks.Where(d => d.Name.EndsWith("_disk", StringComparison.Ordinal)))
        {
            var image = new ImageSpec(options.ServerPool, name);
            var (changed, busy) = known[server];
            if (busy || (_rebuiltSeen.TryGetValue(server, out var seen) && seen == changed && !_oldDisks.Contains(image)))
            {
                continue;
            }

            await TryAsync(errors, async () =>
            {
                if (await IsOldDiskAsync(image, server, cancel))
                {
                    old.Add(image);
                }

                _rebuiltSeen[server] = changed;
            });
        }

        _oldDisks = old;
    }

    /// <summary>True for a disk that was ours, or is, and is older than its server's last rebuild.</summary>
    private async Task<bool> IsOldDiskAsync(ImageSpec disk, Guid server, CancellationToken cancel) =>
        await cluster.FindAsync(disk, cancel) is { Created: { } created } info
        && (info.Snapshots.Any(options.Naming.IsOurs) || (await state.ReadAsync(StateKeys.Image(info), cancel)).Count > 0)
        && SweepPlanner.IsOldDisk(created, await servers!.LastRebuildAsync(server, cancel));

    private static Guid? ServerOf(string image) =>
        image.Length > 36 && image.AsSpan(36).StartsWith("_disk", StringComparison.Ordinal) && Guid.TryParseExact(image.AsSpan(0, 36), "D", out var id) ? id : null;

    /// <summary>What is gone meanwhile needs nothing more; what fails is said, and comes again with the next sweep.</summary>
    private static async Task TryAsync(List<RbdBackupException> errors, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
        }
        catch (RbdBackupException e)
        {
            errors.Add(e);
        }
    }
}
