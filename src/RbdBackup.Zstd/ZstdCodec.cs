using System.Runtime.InteropServices;
using RbdBackup.Core.Model;

namespace RbdBackup.Zstd;

/// <summary>Compresses with libzstd.</summary>
public sealed class ZstdCodec : FrameCodec
{
    private readonly int _level;
    private readonly ContextPool<CompressionContext> _contexts;

    /// <summary>Makes a codec of a level: 1 is quick, 3 is zstd's own default, 19 is slow; negative ones are quicker still.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: libzstd has no such level. <see cref="ErrorKind.Unsupported"/>: there is no libzstd.so.1.</exception>
    public ZstdCodec(int level)
    {
        if (level < Libzstd.MinLevel() || level > Libzstd.MaxLevel())
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"zstd has no level {level}", $"Its levels are {Libzstd.MinLevel()} to {Libzstd.MaxLevel()}; 1 and 3 are usual.");
        }

        _level = level;
        _contexts = new(CreateContext);
    }

    /// <inheritdoc/>
    public override string Name => $"zstd:{_level}";

    /// <inheritdoc/>
    public override int MaxCompressedLength(int length) => checked((int)Libzstd.CompressBound((nuint)length));

    /// <inheritdoc/>
    public override int Compress(ReadOnlySpan<byte> plain, Span<byte> frame)
    {
        var context = _contexts.Rent();
        try
        {
            return (int)Check(Libzstd.Compress(
                context, ref MemoryMarshal.GetReference(frame), (nuint)frame.Length, ref MemoryMarshal.GetReference(plain), (nuint)plain.Length));
        }
        finally
        {
            _contexts.Return(context);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _contexts.Dispose();
        base.Dispose(disposing);
    }

    private static nuint Check(nuint result) =>
        Libzstd.IsError(result) == 0
            ? result
            : throw new RbdBackupException(ErrorKind.Unexpected, $"zstd could not compress: {Libzstd.ErrorName(result)}");

    private CompressionContext CreateContext()
    {
        var context = Libzstd.CreateCompression();
        if (context.IsInvalid)
        {
            throw new InsufficientMemoryException("ZSTD_createCCtx gave no context");
        }

        Check(Libzstd.SetParameter(context, Libzstd.CompressionLevel, _level));
        Check(Libzstd.SetParameter(context, Libzstd.ChecksumFlag, 1));
        return context;
    }
}
