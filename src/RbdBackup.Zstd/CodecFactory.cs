using System.Globalization;
using RbdBackup.Core.Model;

namespace RbdBackup.Zstd;

/// <summary>Makes codecs from their names, as configuration and manifests write them.</summary>
public static class CodecFactory
{
    /// <summary>zstd's own default, and the level of a name without one.</summary>
    public const int DefaultLevel = 3;

    /// <summary>The codec of a name: <c>none</c>, <c>zstd</c> or <c>zstd:LEVEL</c>.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: there is none of that name. <see cref="ErrorKind.Unsupported"/>: there is no libzstd.so.1.</exception>
    public static FrameCodec Create(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name switch
        {
            "none" => new RawCodec(),
            "zstd" => new ZstdCodec(DefaultLevel),
            _ when name.StartsWith("zstd:", StringComparison.Ordinal) && int.TryParse(name.AsSpan(5), NumberStyles.AllowLeadingSign, null, out var level) =>
                new ZstdCodec(level),
            _ => throw new RbdBackupException(ErrorKind.Usage, $"there is no codec '{name}'", "Write none, zstd or zstd:LEVEL."),
        };
    }
}
