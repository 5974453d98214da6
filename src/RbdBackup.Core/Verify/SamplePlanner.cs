using System.IO.Hashing;
using System.Text;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Verify;

/// <summary>Chooses which parts of an image are compared. Pure: the same seed gives the same parts.</summary>
public static class SamplePlanner
{
    /// <summary>A seed that differs from point to point and from day to day, so that repeated runs cover other parts.</summary>
    public static ulong Seed(PointId point, DateTimeOffset now) => XxHash3.HashToUInt64(Encoding.ASCII.GetBytes($"{point} {now.UtcDateTime:yyyy-MM-dd}"));

    /// <summary>
    /// The chosen parts, by number, ascending: one at random out of each of equal stretches of the image, so that no stretch is left out; at least one, and with
    /// 100 percent all.
    /// </summary>
    /// <param name="size">The image's size, in bytes.</param>
    /// <param name="partBytes">The bytes of a part.</param>
    /// <param name="percent">The share of the parts to choose, more than 0, at most 100.</param>
    /// <param name="seed">The seed.</param>
    public static IEnumerable<long> Parts(long size, int partBytes, double percent, ulong seed)
    {
        var parts = (size + partBytes - 1) / partBytes;
        var chosen = CountOf(parts, percent);
        for (var n = 0L; n < chosen; n++)
        {
            var (from, to) = (Stretch(n, parts, chosen), Stretch(n + 1, parts, chosen));
            yield return from + (long)(Mix(seed + (ulong)n) % (ulong)(to - from));
        }
    }

    /// <summary>How many parts <see cref="Parts"/> gives of so many.</summary>
    public static long CountOf(long parts, double percent) => parts == 0 ? 0 : Math.Clamp((long)Math.Ceiling(parts * percent / 100), 1, parts);

    private static long Stretch(long n, long parts, long chosen) => (long)((UInt128)n * (UInt128)parts / (UInt128)chosen);

    // SplitMix64: neighbouring numbers give unrelated ones.
    private static ulong Mix(ulong x)
    {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
