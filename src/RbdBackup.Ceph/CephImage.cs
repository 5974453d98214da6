using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Ceph;

/// <summary>An open image. Reads and writes may be many at a time; the other members one at a time.</summary>
public sealed partial class CephImage : IImage, IDisposable
{
    private readonly CephCluster _cluster;
    private readonly IoContextHandle _ioctx;
    private readonly bool _writable;
    private ImageHandle _handle;
    private ulong? _shown;

    private CephImage(CephCluster cluster, ImageSpec spec, IoContextHandle ioctx, ImageHandle handle, bool writable)
    {
        _cluster = cluster;
        _ioctx = ioctx;
        _handle = handle;
        _writable = writable;
        Spec = spec;
        ImageId = ReadId(handle, spec.ToString());
    }

    /// <inheritdoc/>
    public ImageSpec Spec { get; }

    /// <summary>The image's id, which no other image of the pool ever had or will have.</summary>
    public string ImageId { get; }

    private string Subject => Spec.ToString();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Whoever opens it next must not meet our watch or lock, so the close is waited for.
        await _handle.CloseAsync(_cluster.Calls.Deadline, _cluster.Calls.Time);
        _ioctx.Dispose();
    }

    /// <summary>Closes the image on the caller's thread; <see cref="DisposeAsync"/> is the usual way.</summary>
    public void Dispose()
    {
        _handle.Dispose();
        _ioctx.Dispose();
    }

    internal static CephImage OpenByName(CephCluster cluster, ImageSpec spec, bool writable) =>
        Open(
            cluster, spec.Pool, spec.Namespace, ioctx => ImageHandle.OpenByName(ioctx, spec.Name, spec.ToString(), writable),
            _ => spec, writable);

    internal static CephImage OpenById(CephCluster cluster, string pool, string @namespace, string imageId, bool writable)
    {
        var subject = $"image id {imageId} in pool {pool}";
        return Open(
            cluster, pool, @namespace, ioctx => ImageHandle.OpenById(ioctx, imageId, subject, writable),
            handle => new ImageSpec(pool, @namespace, ReadName(handle, subject)), writable);
    }

    /// <summary>What an image is, looked at through a handle that is closed again: one call, for what is asked often.</summary>
    internal static ImageInfo Look(CephCluster cluster, ImageSpec spec)
    {
        using var image = OpenByName(cluster, spec, writable: false);
        return image.ReadInfo(image._handle, null);
    }

    /// <summary>An image shown at a snapshot, and what it is there.</summary>
    internal static (IImage Image, ImageInfo Info) OpenSnapshot(CephCluster cluster, ImageSpec spec, ulong snapshotId)
    {
        var image = OpenByName(cluster, spec, writable: false);
        try
        {
            image._shown = snapshotId;
            return (image, image.ReadInfo(image._handle, snapshotId));
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    private static CephImage Open(
        CephCluster cluster, string pool, string @namespace, Func<IoContextHandle, ImageHandle> open,
        Func<ImageHandle, ImageSpec> name, bool writable)
    {
        var ioctx = cluster.OpenPool(pool, @namespace);
        ImageHandle? handle = null;
        try
        {
            handle = open(ioctx);
            return new CephImage(cluster, name(handle), ioctx, handle, writable);
        }
        catch
        {
            handle?.Dispose();
            ioctx.Dispose();
            throw;
        }
    }

    private static unsafe string ReadId(ImageHandle handle, string subject) =>
        NativeList.Name("rbd_get_id", subject, (byte* buffer, ref nuint length) => Rbd.rbd_get_id(handle, buffer, length));

    private static unsafe string ReadName(ImageHandle handle, string subject) =>
        NativeList.Name("rbd_get_name", subject, (byte* buffer, ref nuint length) => Rbd.rbd_get_name(handle, buffer, ref length));

    /// <summary>The name that a snapshot has at this moment. Calls that know only names get it right before.</summary>
    private static unsafe string SnapshotName(ImageHandle handle, ulong id, string subject) =>
        NativeList.Name(
            "rbd_snap_get_name", $"snapshot {id} of {subject}",
            (byte* buffer, ref nuint length) => Rbd.rbd_snap_get_name(handle, id, buffer, ref length));

    /// <summary>Runs a call on the handle as it is now, with the deadline.</summary>
    private Task<T> CallAsync<T>(string call, Func<ImageHandle, T> body, CancellationToken cancel)
    {
        var handle = _handle;
        return _cluster.Calls.RunAsync(call, Subject, () => body(handle), cancel);
    }

    private Task<int> CheckedAsync(string call, Func<ImageHandle, int> body, CancellationToken cancel) =>
        CallAsync(call, handle => ThrowHelper.Check(body(handle), call, Subject), cancel);

    private Task LongCheckedAsync(string call, Func<ImageHandle, Progress, int> body, CancellationToken cancel)
    {
        var handle = _handle;
        return _cluster.Calls.RunAsync(call, Subject, progress => { ThrowHelper.Check(body(handle, progress), call, Subject); }, cancel);
    }
}
