using RbdBackup.Ceph;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.EndToEnd;

/// <summary>An image that lives as long as a test. Each call opens it for itself, so that nothing watches it in between.</summary>
public sealed class TestImage(CephCluster admin, ImageSpec spec) : IAsyncDisposable
{
    public ImageSpec Spec => spec;

    /// <summary>The ids of images that restores put into the trash in favour of this name; swept away with it.</summary>
    public HashSet<string> Replaced { get; } = [];

    public override string ToString() => spec.ToString();

    /// <summary>Works on the open image as a guest would.</summary>
    public async Task<T> UseAsync<T>(Func<IImage, Task<T>> use)
    {
        await using var image = await admin.OpenAsync(spec, writable: true, default);
        var result = await use(image);
        await image.FlushAsync(default);
        return result;
    }

    public Task UseAsync(Func<IImage, Task> use) => UseAsync(async image =>
    {
        await use(image);
        return true;
    });

    public Task<ImageInfo> InfoAsync() => UseAsync(image => image.GetInfoAsync(default));

    public Task WriteAsync(long offset, byte[] data) => UseAsync(image => image.WriteAsync(offset, data, default).AsTask());

    /// <summary>Writes random bytes, the same ones for the same seed.</summary>
    public Task FillAsync(long offset, int length, int seed) => WriteAsync(offset, RandomBytes(length, seed));

    public Task ZeroAsync(long offset, long length) => UseAsync(image => image.WriteZeroesAsync(offset, length, default).AsTask());

    /// <summary>Discards as a guest's TRIM does; librbd may leave what is not aligned as it was.</summary>
    public Task DiscardAsync(long offset, long length) => Tool.PythonAsync(
        """
        import rados, rbd, sys
        conf, pool, ns, name, offset, length = sys.argv[1:]
        with rados.Rados(conffile=conf, name='client.admin') as cluster, cluster.open_ioctx(pool) as ioctx:
            ioctx.set_namespace(ns)
            with rbd.Image(ioctx, name) as image: image.discard(int(offset), int(length))
        """,
        Mini.CephConf, spec.Pool, spec.Namespace, spec.Name, $"{offset}", $"{length}");

    public Task<ulong> SnapshotAsync(string name) => UseAsync(image => image.CreateSnapshotAsync(name, default));

    public Task RemoveSnapshotAsync(ulong id) => UseAsync(image => image.RemoveSnapshotAsync(id, default));

    public Task RollbackAsync(ulong id) => UseAsync(image => image.RollbackAsync(id, default));

    public Task ResizeAsync(long size) => UseAsync(image => image.ResizeAsync(size, default));

    /// <summary>All bytes of a snapshot, or of the head.</summary>
    public async Task<byte[]> ReadAsync(ulong? snapshot = null)
    {
        await using var image = await admin.OpenAsync(spec, writable: false, default);
        await image.ShowSnapshotAsync(snapshot, default);
        var data = new byte[(await image.GetInfoAsync(default)).Size];
        for (var at = 0; at < data.Length; at += 4 << 20)
        {
            await image.ReadAsync(at, data.AsMemory(at, Math.Min(4 << 20, data.Length - at)), default);
        }

        return data;
    }

    public static byte[] RandomBytes(int length, int seed)
    {
        var data = new byte[length];
        new Random(seed).NextBytes(data);
        return data;
    }

    /// <summary>Sweeps the image away with its snapshots, and those that a restore replaced.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var replaced in await admin.TrashListAsync(spec.Pool, spec.Namespace, default))
        {
            if (Replaced.Contains(replaced.ImageId))
            {
                await SweepAsync();
                await admin.TrashRestoreAsync(spec.Pool, spec.Namespace, replaced.ImageId, spec.Name, default);
            }
        }

        await SweepAsync();
        await RemoveStateAsync(StateKeys.Restore(spec));
        await RemoveStateAsync(StateKeys.Scratch(spec));
    }

    private async Task SweepAsync()
    {
        for (var tries = 100; await admin.FindAsync(spec, default) is not null; tries--)
        {
            try
            {
                var info = await InfoAsync();
                foreach (var snapshot in info.Snapshots)
                {
                    await RemoveSnapshotAsync(snapshot.Id);
                }

                await admin.RemoveAsync(spec, default);
                await RemoveStateAsync(StateKeys.Image(info));
            }
            catch (CephException e) when (tries > 0 && e.Kind is ErrorKind.Busy or ErrorKind.Refused)
            {
                // A client that was killed still watches it for some seconds, or a snapshot came late.
                await Task.Delay(500);
            }
        }
    }

    /// <summary>Removes our records of the image; most images have none.</summary>
    private static Task<string> RemoveStateAsync(string name) => Tool.BashAsync(
        "rados --name client.admin --pool rbdbackup --namespace rbdbackup rm \"$1\" 2>/dev/null || true", name);
}
