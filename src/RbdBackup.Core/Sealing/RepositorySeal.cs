using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>
/// Seals and opens what a sealed repository holds (docs/FORMAT.md, "Sealed repositories"): segments frame by frame, under a data key of each segment's own;
/// all other objects in blocks, under a key that follows from the master key and the object's key. May be used by many at a time.
/// </summary>
internal sealed class RepositorySeal(Keyring keyring)
{
    private readonly AttemptKeys _attempts = new(keyring);

    /// <summary>The master keys.</summary>
    public Keyring Keyring => keyring;

    /// <summary>The keys of attempts.</summary>
    public AttemptKeys Attempts => _attempts;

    /// <summary>Starts a segment with a fresh data key.</summary>
    public async Task<SegmentSealer> BeginSegmentAsync(PointId point, AttemptId attempt, int segment, CancellationToken cancel) =>
        new(keyring.Repository, point, attempt, segment, await _attempts.MakeAsync(point, attempt, cancel));

    /// <summary>Opens a sealed frame where it is.</summary>
    /// <param name="frame">The frame; where it lies is part of what is proven.</param>
    /// <param name="stored">Its bytes, which become plain.</param>
    /// <param name="cancel">Ends the wait for keys.</param>
    /// <returns>The part of <paramref name="stored"/> that is the frame.</returns>
    /// <exception cref="RbdBackupException">NotFound: the key is missing; Corrupt: not what was sealed there.</exception>
    public async Task<Memory<byte>> OpenFrameAsync(FrameName frame, Memory<byte> stored, CancellationToken cancel)
    {
        var key = await _attempts.GetAsync(frame.Point, frame.Attempt, cancel);
        return SealedFrame.TryOpen(keyring.Repository, frame, key, stored.Span)
            ? stored[SealedFrame.HeadBytes..^Aead.TagBytes]
            : throw RepositoryFormat.Corrupt(frame.Key, $"has at byte {frame.Offset} no frame that was sealed there: it was changed or moved");
    }

    /// <summary>Seals an object that is not a segment.</summary>
    public byte[] Seal(string key, ReadOnlySequence<byte> plain)
    {
        var (generation, master) = keyring.Current;
        using var gcm = new AesGcm(SealedBlocks.KeyOf(master, keyring.Repository, key), Aead.TagBytes);
        return SealedBlocks.Seal(gcm, generation, plain);
    }

    /// <summary>Opens blocks of an object.</summary>
    /// <param name="key">The object's key.</param>
    /// <param name="first">The number of the first block.</param>
    /// <param name="length">The object's plain length, in bytes.</param>
    /// <param name="stored">The blocks, sealed.</param>
    /// <param name="cancel">Ends the wait for keys.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>: not what was sealed there.</exception>
    public async Task<byte[]> OpenAsync(string key, long first, long length, ReadOnlyMemory<byte> stored, CancellationToken cancel)
    {
        var generation = SealedBlocks.GenerationOf(stored.Span);
        if (generation is not null && await keyring.FindAsync(generation.Value, cancel) is { } master)
        {
            using var gcm = new AesGcm(SealedBlocks.KeyOf(master, keyring.Repository, key), Aead.TagBytes);
            if (SealedBlocks.TryOpen(gcm, generation.Value, first, length, stored.Span) is { } plain)
            {
                return plain;
            }
        }

        throw RepositoryFormat.Corrupt(key, "is not what was sealed under this name with a key of this repository: it was changed, moved, or never sealed");
    }
}

/// <summary>How a frame, or a segment's footer, is sealed: its number, the segment's data key wrapped, ciphertext, tag.</summary>
internal static class SealedFrame
{
    /// <summary>What stands before the ciphertext: the number and the wrapped data key.</summary>
    public const int HeadBytes = 4 + Aead.WrappedBytes;

    /// <summary>How much longer a frame becomes.</summary>
    public const int Overhead = HeadBytes + Aead.TagBytes;

    /// <summary>The number that a segment's footer has.</summary>
    public const uint Footer = uint.MaxValue;

    /// <summary>What a data key is bound to.</summary>
    public static byte[] BoundKey(Guid repository, PointId point, AttemptId attempt, int segment) =>
        Aead.Bind("rbdbackup segment", Aead.Field(repository), Aead.Field(point), Aead.Field(attempt), Aead.Field((uint)segment));

    /// <summary>What a frame is bound to.</summary>
    public static byte[] Bound(Guid repository, PointId point, AttemptId attempt, int segment, uint number, long offset) =>
        Aead.Bind("rbdbackup frame", Aead.Field(repository), Aead.Field(point), Aead.Field(attempt), Aead.Field((uint)segment), Aead.Field(number), Aead.Field(offset));

    /// <summary>The nonce: the number, in 12 bytes.</summary>
    public static void WriteNonce(Span<byte> nonce, uint number)
    {
        nonce.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(nonce[(Aead.NonceBytes - 4)..], number);
    }

    /// <summary>Opens a frame where it is, between head and tag; false where any of it is not what was sealed there.</summary>
    public static bool TryOpen(Guid repository, FrameName frame, byte[] attemptKey, Span<byte> stored)
    {
        if (stored.Length < Overhead
            || Aead.TryUnwrap(attemptKey, stored[4..HeadBytes], BoundKey(repository, frame.Point, frame.Attempt, frame.Segment)) is not { } dataKey)
        {
            return false;
        }

        var number = BinaryPrimitives.ReadUInt32BigEndian(stored);
        Span<byte> nonce = stackalloc byte[Aead.NonceBytes];
        WriteNonce(nonce, number);
        using var gcm = new AesGcm(dataKey, Aead.TagBytes);
        var content = stored[HeadBytes..^Aead.TagBytes];
        return Aead.TryOpen(
            gcm, nonce, content, stored[^Aead.TagBytes..], content,
            Bound(repository, frame.Point, frame.Attempt, frame.Segment, number, frame.Offset));
    }
}

/// <summary>Seals the frames of one segment. Dispose gives their memory back.</summary>
internal sealed class SegmentSealer : IDisposable
{
    private readonly Func<uint, long, byte[]> _bound;
    private readonly byte[] _wrappedKey;
    private readonly AesGcm _gcm;
    private readonly List<byte[]> _rented = [];

    public SegmentSealer(Guid repository, PointId point, AttemptId attempt, int segment, byte[] attemptKey)
    {
        // A fresh key for each upload: its nonces, which count frames, are used once.
        var dataKey = Aead.NewKey();
        _wrappedKey = Aead.Wrap(attemptKey, dataKey, SealedFrame.BoundKey(repository, point, attempt, segment));
        _gcm = new AesGcm(dataKey, Aead.TagBytes);
        _bound = (number, offset) => SealedFrame.Bound(repository, point, attempt, segment, number, offset);
    }

    /// <summary>Seals a frame: one copy into memory of its own, and one pass over that.</summary>
    /// <param name="number">Its number; each is used once.</param>
    /// <param name="offset">Where in the segment it will start.</param>
    /// <param name="pieces">Its bytes.</param>
    /// <param name="length">How many those are.</param>
    public ReadOnlyMemory<byte> Seal(uint number, long offset, IEnumerable<ReadOnlyMemory<byte>> pieces, int length)
    {
        var rented = ArrayPool<byte>.Shared.Rent(length + SealedFrame.Overhead);
        _rented.Add(rented);
        var stored = rented.AsMemory(0, length + SealedFrame.Overhead);
        BinaryPrimitives.WriteUInt32BigEndian(stored.Span, number);
        _wrappedKey.CopyTo(stored.Span[4..]);
        var content = stored[SealedFrame.HeadBytes..^Aead.TagBytes];
        var rest = content;
        foreach (var piece in pieces)
        {
            piece.CopyTo(rest);
            rest = rest[piece.Length..];
        }

        Span<byte> nonce = stackalloc byte[Aead.NonceBytes];
        SealedFrame.WriteNonce(nonce, number);
        _gcm.Encrypt(nonce, content.Span, content.Span, stored.Span[^Aead.TagBytes..], _bound(number, offset));
        return stored;
    }

    public void Dispose()
    {
        _gcm.Dispose();
        _rented.ForEach(buffer => ArrayPool<byte>.Shared.Return(buffer));
    }
}
