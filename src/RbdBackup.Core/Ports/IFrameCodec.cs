using RbdBackup.Core.Model;

namespace RbdBackup.Core.Ports;

/// <summary>Compression of one frame at a time. Members may be called at the same time.</summary>
public interface IFrameCodec
{
    /// <summary>What the manifest says of it: <c>zstd:3</c>, <c>none</c>.</summary>
    string Name { get; }

    /// <summary>How many bytes a frame of <paramref name="length"/> plain bytes takes at most.</summary>
    int MaxCompressedLength(int length);

    /// <summary>Writes one whole zstd frame, which carries its plain length, and returns its length.</summary>
    int Compress(ReadOnlySpan<byte> plain, Span<byte> frame);

    /// <summary>As the other, from pieces to pieces. What comes out may name pieces of <paramref name="plain"/>, which must outlive it then.</summary>
    void Compress(PieceList plain, PieceList frame);

    /// <summary>Reads one whole zstd frame into <paramref name="plain"/>, which must be filled exactly.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>: not such a frame.</exception>
    void Decompress(ReadOnlySpan<byte> frame, Span<byte> plain);
}
