using System.Buffers;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;

namespace RbdBackup.Ceph;

/// <content>Reading and writing. A call that was sent can't be taken back: a token ends it only before that.</content>
public sealed partial class CephImage
{
    /// <summary>librbd sends all the object operations of a call at once: a call for a whole disk would be hundreds of thousands.</summary>
    private const long MostZeroes = 256L << 20;

    /// <inheritdoc/>
    public async ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (destination.IsEmpty)
        {
            return;
        }

        // What a backup reads, it reads once: the OSD's cache is for the guest.
        const int Flags = RadosConstants.LIBRADOS_OP_FLAG_FADVISE_NOCACHE;
        using var pin = destination.Pin();
        var address = Address(pin);
        var read = await AioCompletion.RunAsync(
            _cluster.Calls, _handle, "rbd_aio_read2", Subject, (image, completion) => Read(image, offset, address, destination.Length, completion, Flags));
        if (read != destination.Length)
        {
            throw new CephException(
                ErrorKind.Unexpected, "rbd_aio_read2", Subject, Errno.EIO,
                $"rbd_aio_read2 on {Subject} at {offset} gave {read} of {destination.Length} bytes",
                "Was the image shrunk meanwhile? Try again.");
        }
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (source.IsEmpty)
        {
            return;
        }

        using var pin = source.Pin();
        var address = Address(pin);
        await AioCompletion.RunAsync(
            _cluster.Calls, _handle, "rbd_aio_write", Subject, (image, completion) => Write(image, offset, address, source.Length, completion));
    }

    /// <inheritdoc/>
    public async ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancel)
    {
        for (var end = offset + length; offset < end;)
        {
            cancel.ThrowIfCancellationRequested();
            var (start, part) = (offset, Math.Min(MostZeroes, end - offset));
            await AioCompletion.RunAsync(
                _cluster.Calls, _handle, "rbd_aio_write_zeroes", Subject,
                (image, completion) => Rbd.rbd_aio_write_zeroes(image, (ulong)start, (nuint)part, completion, zeroFlags: 0, flags: 0));
            offset += part;
        }
    }

    /// <inheritdoc/>
    public async ValueTask FlushAsync(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        await AioCompletion.RunAsync(_cluster.Calls, _handle, "rbd_aio_flush", Subject, Rbd.rbd_aio_flush);
    }

    // A pointer can't live across an await, an address can; the pin keeps it right.
    private static unsafe nint Address(MemoryHandle pin) => (nint)pin.Pointer;

    private static unsafe int Read(Handles.ImageHandle image, long offset, nint address, int length, nint completion, int flags) =>
        Rbd.rbd_aio_read2(image, (ulong)offset, (nuint)length, (void*)address, completion, flags);

    private static unsafe int Write(Handles.ImageHandle image, long offset, nint address, int length, nint completion) =>
        Rbd.rbd_aio_write(image, (ulong)offset, (nuint)length, (void*)address, completion);
}
