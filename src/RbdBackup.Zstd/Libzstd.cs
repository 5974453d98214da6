using System.Runtime.InteropServices;
using RbdBackup.Core.Model;

namespace RbdBackup.Zstd;

// SYSLIB1054 asks for LibraryImport, whose generated code is unsafe, and unsafe code has one place only: RbdBackup.Ceph.
#pragma warning disable SYSLIB1054

/// <summary>The functions of libzstd.so.1 that are used here, all of its stable interface. Sizes are size_t.</summary>
internal static class Libzstd
{
    private const string Library = "libzstd.so.1";

    /// <summary>Implements: <c>ZSTD_cParameter</c>, value <c>ZSTD_c_compressionLevel</c>.</summary>
    public const int CompressionLevel = 100;

    /// <summary>Implements: <c>ZSTD_cParameter</c>, value <c>ZSTD_c_checksumFlag</c>.</summary>
    public const int ChecksumFlag = 201;

    /// <summary>Implements: <c>int ZSTD_minCLevel(void)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_minCLevel")]
    public static extern int MinLevel();

    /// <summary>Implements: <c>int ZSTD_maxCLevel(void)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_maxCLevel")]
    public static extern int MaxLevel();

    /// <summary>Implements: <c>size_t ZSTD_compressBound(size_t srcSize)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_compressBound")]
    public static extern nuint CompressBound(nuint length);

    /// <summary>Implements: <c>ZSTD_CCtx* ZSTD_createCCtx(void)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_createCCtx")]
    public static extern CompressionContext CreateCompression();

    /// <summary>Implements: <c>size_t ZSTD_freeCCtx(ZSTD_CCtx* cctx)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    public static extern nuint FreeCompression(nint context);

    /// <summary>Implements: <c>size_t ZSTD_CCtx_setParameter(ZSTD_CCtx* cctx, ZSTD_cParameter param, int value)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    public static extern nuint SetParameter(CompressionContext context, int parameter, int value);

    /// <summary>Implements: <c>size_t ZSTD_compress2(ZSTD_CCtx* cctx, void* dst, size_t dstCapacity, const void* src, size_t srcSize)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_compress2")]
    public static extern nuint Compress(CompressionContext context, ref byte destination, nuint capacity, ref byte source, nuint length);

    /// <summary>Implements: <c>ZSTD_DCtx* ZSTD_createDCtx(void)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_createDCtx")]
    public static extern DecompressionContext CreateDecompression();

    /// <summary>Implements: <c>size_t ZSTD_freeDCtx(ZSTD_DCtx* dctx)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    public static extern nuint FreeDecompression(nint context);

    /// <summary>Implements: <c>size_t ZSTD_decompressDCtx(ZSTD_DCtx* dctx, void* dst, size_t dstCapacity, const void* src, size_t srcSize)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    public static extern nuint Decompress(DecompressionContext context, ref byte destination, nuint capacity, ref byte source, nuint length);

    /// <summary>Implements: <c>unsigned long long ZSTD_getFrameContentSize(const void* src, size_t srcSize)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_getFrameContentSize")]
    public static extern ulong FrameContentSize(ref byte source, nuint length);

    /// <summary>Implements: <c>size_t ZSTD_findFrameCompressedSize(const void* src, size_t srcSize)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_findFrameCompressedSize")]
    public static extern nuint FrameCompressedSize(ref byte source, nuint length);

    /// <summary>Implements: <c>unsigned ZSTD_isError(size_t code)</c>.</summary>
    [DllImport(Library, EntryPoint = "ZSTD_isError")]
    public static extern uint IsError(nuint code);

    /// <summary>The words for an error. Implements: <c>const char* ZSTD_getErrorName(size_t code)</c>.</summary>
    public static string ErrorName(nuint code) => Marshal.PtrToStringUTF8(GetErrorName(code))!;

    /// <summary>Fails with a clear error where the library is missing.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unsupported"/>: it can't be loaded.</exception>
    public static void Require()
    {
        try
        {
            _ = MaxLevel();
        }
        catch (DllNotFoundException e)
        {
            throw new RbdBackupException(
                ErrorKind.Unsupported, $"{Library}, which compresses and decompresses, can't be loaded", "Install it (Debian's package libzstd1).", e);
        }
    }

    [DllImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static extern nint GetErrorName(nuint code);
}

/// <summary>A <c>ZSTD_CCtx</c>; for one call at a time.</summary>
internal sealed class CompressionContext() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle() => Libzstd.FreeCompression(handle) == 0;
}

/// <summary>A <c>ZSTD_DCtx</c>; for one call at a time.</summary>
internal sealed class DecompressionContext() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle() => Libzstd.FreeDecompression(handle) == 0;
}
