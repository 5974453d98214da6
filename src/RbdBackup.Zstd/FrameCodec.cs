using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Zstd;

/// <summary>
/// What all codecs share: whatever wrote it, a frame is a standard zstd frame (RFC 8878) that declares its plain length and carries a checksum, and libzstd
/// reads it, so that the <c>zstd</c> command does too.
/// </summary>
/// <remarks>
/// The checksum (4 bytes, XXH64 at memory speed) is not ours to rely on, for the repository has its own hashes. It is for who restores with public tools only: without it
/// <c>zstd -d</c> would hand a flipped bit on to <c>rbd import-diff</c> in silence.
/// </remarks>
public abstract class FrameCodec : IFrameCodec, IDisposable
{
    /// <summary>The four bytes that a frame starts with, as a little-endian number.</summary>
    internal const uint Magic = 0xFD2FB528;

    private readonly ContextPool<DecompressionContext> _contexts = new(CreateContext);

    /// <summary>Makes a codec.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unsupported"/>: libzstd.so.1 is missing.</exception>
    protected FrameCodec() => Libzstd.Require();

    /// <inheritdoc/>
    public abstract string Name { get; }

    /// <inheritdoc/>
    public abstract int MaxCompressedLength(int length);

    /// <inheritdoc/>
    public abstract int Compress(ReadOnlySpan<byte> plain, Span<byte> frame);

    /// <inheritdoc/>
    public virtual void Compress(PieceList plain, PieceList frame)
    {
        var together = ArrayPool<byte>.Shared.Rent(checked((int)plain.Length));
        try
        {
            var at = 0;
            foreach (var piece in plain.Pieces)
            {
                piece.CopyTo(together.AsMemory(at));
                at += piece.Length;
            }

            frame.Advance(Compress(together.AsSpan(0, at), frame.GetSpan(MaxCompressedLength(at))));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(together);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Needs no memory beyond <paramref name="plain"/>, whatever window the frame declares, and writes nowhere else.</remarks>
    public void Decompress(ReadOnlySpan<byte> frame, Span<byte> plain)
    {
        CheckShape(frame, plain.Length);
        var context = _contexts.Rent();
        try
        {
            var length = Libzstd.Decompress(
                context, ref MemoryMarshal.GetReference(plain), (nuint)plain.Length, ref MemoryMarshal.GetReference(frame), (nuint)frame.Length);
            if (Libzstd.IsError(length) != 0)
            {
                throw Corrupt(Libzstd.ErrorName(length));
            }

            if (length != (nuint)plain.Length)
            {
                throw Corrupt($"it holds {length} bytes where {plain.Length} are expected");
            }
        }
        finally
        {
            _contexts.Return(context);
        }
    }

    /// <summary>Frees the contexts. No call may be under way.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the codec holds.</summary>
    protected virtual void Dispose(bool disposing) => _contexts.Dispose();

    /// <summary>libzstd would also take several frames, skippable ones and those of its old formats; here one frame of today's format is one frame.</summary>
    private static void CheckShape(ReadOnlySpan<byte> frame, int plainLength)
    {
        if (frame.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(frame) != Magic)
        {
            throw Corrupt("it does not start as one");
        }

        ref var start = ref MemoryMarshal.GetReference(frame);
        var declared = Libzstd.FrameContentSize(ref start, (nuint)frame.Length);
        if (declared != (ulong)plainLength)
        {
            throw Corrupt(declared >= ulong.MaxValue - 1 ? "it does not declare its plain length" : $"it declares {declared} plain bytes where {plainLength} are expected");
        }

        var length = Libzstd.FrameCompressedSize(ref start, (nuint)frame.Length);
        if (Libzstd.IsError(length) != 0)
        {
            throw Corrupt(Libzstd.ErrorName(length));
        }

        if (length != (nuint)frame.Length)
        {
            throw Corrupt($"{frame.Length - (long)length} bytes follow it");
        }
    }

    private static DecompressionContext CreateContext() =>
        Libzstd.CreateDecompression() is { IsInvalid: false } context ? context : throw new InsufficientMemoryException("ZSTD_createDCtx gave no context");

    private static RbdBackupException Corrupt(string why) => new(ErrorKind.Corrupt, $"a zstd frame is damaged: {why}");
}
