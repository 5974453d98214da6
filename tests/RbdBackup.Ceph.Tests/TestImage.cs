using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Ceph.Tests;

/// <summary>An image that lives as long as a test.</summary>
public sealed class TestImage(CephFixture ceph, ImageSpec spec) : IAsyncDisposable
{
    public ImageSpec Spec => spec;

    public Task<IImage> OpenAsync(bool writable = true) => ceph.Backup.OpenAsync(spec, writable, default);

    /// <summary>Writes bytes of one value.</summary>
    public static async Task FillAsync(IImage image, long offset, int length, byte value)
    {
        var data = new byte[length];
        data.AsSpan().Fill(value);
        await image.WriteAsync(offset, data, default);
    }

    public static async Task<byte[]> ReadAsync(IImage image, long offset, int length)
    {
        var data = new byte[length];
        await image.ReadAsync(offset, data, default);
        return data;
    }

    /// <summary>Sweeps the image away, again where a snapshot that somebody was late to make, or a client that is about to go, stands in
    /// the way.</summary>
    public async ValueTask DisposeAsync()
    {
        for (var tries = 100; await ceph.Restore.FindAsync(spec, default) is not null; tries--)
        {
            try
            {
                await SweepAsync();
            }
            catch (CephException e) when (tries > 0 && (e.Kind is ErrorKind.Busy or ErrorKind.Refused))
            {
            }
        }
    }

    private async Task SweepAsync()
    {
        await using (var image = await ceph.Restore.OpenAsync(spec, writable: true, default))
        {
            foreach (var snapshot in (await image.GetInfoAsync(default)).Snapshots)
            {
                await image.RemoveSnapshotAsync(snapshot.Id, default);
            }
        }

        await ceph.Restore.RemoveAsync(spec, default);
    }
}
