using FsCheck;
using FsCheck.Fluent;
using RbdBackup.Core.Ports;

namespace RbdBackup.Zstd.Tests;

/// <summary>Makes plain bytes, and frames of them.</summary>
internal static class Frames
{
    public static string[] Codecs { get; } = ["none", "zstd:-5", "zstd:1", "zstd:3", "zstd:19"];

    /// <summary>Bytes of lengths around the hash's stripes and the blocks' limit, some that compress and some that do not.</summary>
    public static Gen<byte[]> Plain { get; } =
        from length in Gen.OneOf(Gen.Choose(0, 200), Gen.Choose(131_060, 131_080), Gen.Choose(0, 500_000))
        from alphabet in Gen.Elements(1, 4, 256)
        from seed in Gen.Choose(0, int.MaxValue)
        select Bytes(length, alphabet, seed);

    public static byte[] Bytes(int length, int alphabet, int seed)
    {
        var random = new Random(seed);
        var bytes = new byte[length];
        random.NextBytes(bytes);
        foreach (ref var b in bytes.AsSpan())
        {
            b = (byte)(b % alphabet);
        }

        return bytes;
    }

    public static byte[] Compress(IFrameCodec codec, ReadOnlySpan<byte> plain)
    {
        var frame = new byte[codec.MaxCompressedLength(plain.Length)];
        return frame[..codec.Compress(plain, frame)];
    }

    public static byte[] Decompress(IFrameCodec codec, ReadOnlySpan<byte> frame, int length)
    {
        var plain = new byte[length];
        codec.Decompress(frame, plain);
        return plain;
    }

    public static void Check<T>(Gen<T> gen, int tests, Action<T> holds) =>
        FsCheck.Check.One(Config.QuickThrowOnFailure.WithMaxTest(tests), Prop.ForAll(gen.ToArbitrary(), holds));
}
