using RbdBackup.Ceph.Handles;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using static RbdBackup.Ceph.Native.RbdConstants;

namespace RbdBackup.Ceph;

/// <content>Images: list, find, open, create, rename, remove.</content>
public sealed partial class CephCluster
{
    /// <summary>Features that librbd sets by itself from the options, or that describe a passing state; an image can't be created with
    /// them.</summary>
    private const ulong ImplicitFeatures = RBD_FEATURE_STRIPINGV2 | RBD_FEATURE_DATA_POOL | RBD_FEATURE_OPERATIONS | RBD_FEATURE_MIGRATING
        | RBD_FEATURE_NON_PRIMARY | RBD_FEATURE_DIRTY_CACHE;

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListImagesAsync(string pool, string @namespace, CancellationToken cancel)
    {
        var subject = $"pool {pool}";
        return OnPoolAsync<IReadOnlyList<string>>("rbd_list2", subject, pool, @namespace, ioctx => ListImages(ioctx, subject), cancel);
    }

    /// <inheritdoc/>
    public async Task<ImageInfo?> FindAsync(ImageSpec spec, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(spec);
        try
        {
            return await Calls.RunAsync("rbd_open_read_only", spec.ToString(), () => CephImage.Look(this, spec), cancel);
        }
        catch (CephException e) when (e.Kind == ErrorKind.NotFound && e.Call == "rbd_open_read_only")
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<IImage> OpenAsync(ImageSpec spec, bool writable, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return await Calls.RunAsync("rbd_open", spec.ToString(), () => CephImage.OpenByName(this, spec, writable), cancel);
    }

    /// <inheritdoc/>
    public async Task<(IImage Image, ImageInfo Info)> OpenSnapshotAsync(ImageSpec spec, ulong snapshotId, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return await Calls.RunAsync("rbd_open_read_only", spec.ToString(), () => CephImage.OpenSnapshot(this, spec, snapshotId), cancel);
    }

    /// <inheritdoc/>
    public async Task<IImage> OpenByIdAsync(string pool, string @namespace, string imageId, bool writable, CancellationToken cancel) =>
        await Calls.RunAsync(
            "rbd_open_by_id", $"image id {imageId} in pool {pool}",
            () => CephImage.OpenById(this, pool, @namespace, imageId, writable), cancel);

    /// <inheritdoc/>
    public Task CreateAsync(ImageSpec spec, long size, ImageLayout layout, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        return OnImageAsync(
            "rbd_create4", spec,
            (ioctx, _) =>
            {
                using var options = CreateOptions(layout, spec);
                return Rbd.rbd_create4(ioctx, spec.Name, (ulong)size, options);
            },
            cancel);
    }

    /// <inheritdoc/>
    public Task RenameAsync(ImageSpec spec, string newName, CancellationToken cancel) =>
        OnImageAsync("rbd_rename", spec, (ioctx, _) => Rbd.rbd_rename(ioctx, spec.Name, newName), cancel);

    /// <inheritdoc/>
    public unsafe Task RemoveAsync(ImageSpec spec, CancellationToken cancel) =>
        OnImageAsync(
            "rbd_remove", spec,
            (ioctx, progress) =>
            {
                var result = Rbd.rbd_remove_with_progress(ioctx, spec.Name, Progress.Callback, progress.Argument);
                return result == -Errno.ENOENT ? 0 : result;
            },
            cancel);

    private static unsafe List<string> ListImages(IoContextHandle ioctx, string subject) =>
        NativeList.Items<rbd_image_spec_t, string>(
            "rbd_list2", subject,
            (rbd_image_spec_t* items, ref nuint count) => Rbd.rbd_list2(ioctx, items, ref count),
            Rbd.rbd_image_spec_list_cleanup,
            image => NativeList.Text(image.name));

    private ImageOptionsHandle CreateOptions(ImageLayout layout, ImageSpec spec)
    {
        var options = new ImageOptionsHandle();
        Set(RBD_IMAGE_OPTION_ORDER, (ulong)layout.Order);
        Set(RBD_IMAGE_OPTION_FEATURES, layout.Features & ~ImplicitFeatures);
        Set(RBD_IMAGE_OPTION_STRIPE_UNIT, (ulong)layout.StripeUnit);
        Set(RBD_IMAGE_OPTION_STRIPE_COUNT, (ulong)layout.StripeCount);

        // Said also where data and metadata share a pool: the client's configuration may name another one as default.
        var dataPool = layout.DataPool ?? Within(spec.Pool);
        ThrowHelper.Check(
            Rbd.rbd_image_options_set_string(options, RBD_IMAGE_OPTION_DATA_POOL, dataPool),
            "rbd_image_options_set_string", spec.ToString());
        return options;

        void Set(int option, ulong value) =>
            ThrowHelper.Check(Rbd.rbd_image_options_set_uint64(options, option, value), "rbd_image_options_set_uint64", spec.ToString());
    }
}
