using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Restore;
using RbdBackup.Core.Servers;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>
/// Removes what an unfinished restore into a new server has made: whatever bears its mark, found by name, since who was killed between asking for a server and being told its id
/// has written down no id.
/// </summary>
internal sealed class HalfMadeServers(OpenStackCloud cloud, IImageCluster cluster, RestoreRunner restores, DiskPools pools, ServerPools serverPools, TimeProvider time)
{
    /// <summary>The metadata key that marks what is not whole yet; its value is the restore's id.</summary>
    public const string Mark = "rbdbackup_unfinished";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    /// <summary>Removes server and volumes, and the images of both.</summary>
    public async Task RemoveAsync(ServerHold hold, CancellationToken cancel)
    {
        // Volumes may go with their server, and then nobody shows which restores onto them were under way.
        var volumes = await hold.NewVolumes.Distinct().ToAsyncEnumerable().SelectMany(name => VolumesAsync(hold, name, cancel)).ToListAsync(cancel);
        foreach (var image in volumes.SelectMany(v => ServerLookup.ImagesOf(v, pools)))
        {
            await EndRestoreAsync(image, cancel);
        }

        await foreach (var server in ServersAsync(hold, cancel))
        {
            await RemoveServerAsync(server, cancel);
        }

        foreach (var volume in volumes)
        {
            await RemoveVolumeAsync(volume.Id, cancel);
        }
    }

    private async Task RemoveServerAsync(Server server, CancellationToken cancel)
    {
        // Once it is deleted it is on no host.
        var (id, search) = (server.Id, new DiskSearch(cluster, await serverPools.OfAsync(server, cancel)));

        // Nova gives an image up that has snapshots, and a restored one has one.
        foreach (var image in await DisksAsync())
        {
            await DropAsync(image, remove: false, cancel);
        }

        await cloud.Compute.DeleteServerAsync(id, cancel);
        await GoneAsync($"server {id}", () => cloud.Compute.GetServerAsync(id, cancel), s => s.Status == "DELETED", cancel);
        foreach (var image in await DisksAsync())
        {
            await DropAsync(image, remove: true, cancel);
        }

        async Task<IReadOnlyList<ImageSpec>> DisksAsync() =>
            [.. (await search.ImagesAsync(id, cancel)).Where(i => i.Name.StartsWith($"{id}_disk", StringComparison.Ordinal))];
    }

    private async Task RemoveVolumeAsync(string volume, CancellationToken cancel)
    {
        try
        {
            if ((await cloud.BlockStorage.GetVolumeAsync(volume, cancel)).Status != "deleting")
            {
                await cloud.BlockStorage.DeleteVolumeAsync(volume, cancel);
            }
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // It went with its server.
            return;
        }

        await GoneAsync($"volume {volume}", () => cloud.BlockStorage.GetVolumeAsync(volume, cancel), _ => false, cancel);
    }

    private async Task DropAsync(ImageSpec image, bool remove, CancellationToken cancel)
    {
        await EndRestoreAsync(image, cancel);
        if (await cluster.FindAsync(image, cancel) is not { } info)
        {
            return;
        }

        if (info.Snapshots.Count > 0)
        {
            await using var opened = await cluster.OpenAsync(image, writable: true, cancel);
            foreach (var snapshot in info.Snapshots)
            {
                await opened.RemoveSnapshotAsync(snapshot.Id, cancel);
            }
        }

        if (remove)
        {
            await cluster.RemoveAsync(image, cancel);
        }
    }

    /// <summary>Removes what a restore onto this name has made beside it, if one is under way.</summary>
    private async Task EndRestoreAsync(ImageSpec image, CancellationToken cancel)
    {
        try
        {
            await restores.UndoAsync(image, cancel);
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.NotFound or ErrorKind.Refused)
        {
            // None was begun; or it had come to its end, and what was replaced is gone.
        }
    }

    private IAsyncEnumerable<Server> ServersAsync(ServerHold hold, CancellationToken cancel) =>
        cloud.Compute.ListServersAsync(
            new ServerFilter { AllProjects = true, Name = $"^{System.Text.RegularExpressions.Regex.Escape(hold.NewName ?? "")}$" }, cancel)
            .Where(s => s.Metadata?.GetValueOrDefault(Mark) == hold.Server);

    private IAsyncEnumerable<Volume> VolumesAsync(ServerHold hold, string name, CancellationToken cancel) =>
        cloud.BlockStorage.ListVolumesAsync(new VolumeFilter { AllProjects = true, Name = name }, cancel).Where(v => v.Metadata.GetValueOrDefault(Mark) == hold.Server);

    private async Task GoneAsync<T>(string what, Func<Task<T>> get, Func<T, bool> isGone, CancellationToken cancel)
    {
        try
        {
            for (var started = time.GetTimestamp(); !isGone(await get()); await Task.Delay(Poll, time, cancel))
            {
                if (time.GetElapsedTime(started) > Patience)
                {
                    throw new RbdBackupException(ErrorKind.Unavailable, $"{what} is not deleted yet", "It belongs to a restore that did not come to its end; the same restore again, or a worker, removes it.");
                }
            }
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Gone.
        }
    }
}
