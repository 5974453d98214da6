using RbdBackup.Core.Model;
using RbdBackup.Core.Tests.Diff;

namespace RbdBackup.Core.Tests;

/// <summary>Images in arrays: random ones, their changes, and what streams make of them.</summary>
internal static class Images
{
    private const int Sector = 512;

    public static byte[] Random(Random random, int size)
    {
        var image = new byte[size];
        Scribble(random, image, 12);
        return image;
    }

    /// <summary>The image after random writes and discards; perhaps larger.</summary>
    public static byte[] Changed(Random random, byte[] image)
    {
        var grown = random.Next(3) == 0 ? random.Next(1, 40) * Sector : 0;
        var changed = new byte[image.Length + grown];
        image.CopyTo(changed, 0);
        Scribble(random, changed, 4);
        return changed;
    }

    /// <summary>What differs, in sectors, neighbours joined; a range that became zero does not exist.</summary>
    public static IReadOnlyList<Extent> Difference(byte[] before, byte[] after)
    {
        var extents = new List<Extent>();
        for (var at = 0; at < after.Length; at += Sector)
        {
            var now = after.AsSpan(at, Math.Min(Sector, after.Length - at));
            var exists = now.ContainsAnyExcept((byte)0);
            var was = before.AsSpan(Math.Min(at, before.Length), Math.Clamp(before.Length - at, 0, now.Length));
            var same = now.StartsWith(was) && !now[was.Length..].ContainsAnyExcept((byte)0);
            if (same)
            {
                continue;
            }

            if (extents.Count > 0 && extents[^1].End == at && extents[^1].Exists == exists)
            {
                extents[^1] = extents[^1] with { Length = extents[^1].Length + now.Length };
            }
            else
            {
                extents.Add(new Extent(at, now.Length, exists));
            }
        }

        return extents;
    }

    /// <summary>The bytes of the extents that exist, one behind the other, as a backup reads them.</summary>
    public static byte[] Read(byte[] image, IEnumerable<Extent> extents) =>
        [.. extents.Where(e => e.Exists).SelectMany(e => image.AsSpan((int)e.Offset, (int)e.Length).ToArray())];

    /// <summary>An image after a stream was read by <see cref="Core.Diff.DiffStreamReader"/> and applied to it.</summary>
    public static async Task<byte[]> ApplyAsync(byte[] image, byte[] stream)
    {
        using var input = new MemoryStream(stream);
        var applied = Diffs.Apply(image, await Diffs.ReadAsync(input, new Core.Diff.DiffLimits()));
        Assert.Equal(input.Length, input.Position);
        return applied;
    }

    /// <summary>Ascending extents that do not overlap, some touching.</summary>
    public static List<Extent> Extents(Random random, int count, int maxLength)
    {
        var extents = new List<Extent>(count);
        var at = 0L;
        for (var i = 0; i < count; i++)
        {
            at += random.Next(3) == 0 ? 0 : random.Next(1, 1 << 20);
            extents.Add(new Extent(at, random.Next(1, maxLength), random.Next(3) > 0));
            at = extents[^1].End;
        }

        return extents;
    }

    private static void Scribble(Random random, byte[] image, int times)
    {
        for (var i = 0; i < times; i++)
        {
            var start = random.Next(image.Length);
            var range = image.AsSpan(start, Math.Min(image.Length - start, random.Next(1, 1 + (image.Length / 8))));
            switch (random.Next(4))
            {
                case 0:
                    range.Clear();
                    break;
                case 1:
                    range.Fill((byte)random.Next(1, 256));
                    break;
                default:
                    random.NextBytes(range);
                    break;
            }
        }
    }
}
