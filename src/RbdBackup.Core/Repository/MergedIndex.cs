using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Repository;

/// <summary>How merged indexes are cut.</summary>
/// <param name="LeafBytes">What a leaf covers, in bytes; an index that is built on another has that one's.</param>
/// <param name="ObjectBytes">How large objects of leaf pages become, in bytes: one is held in memory until it is stored.</param>
public sealed record MergedLayout(long LeafBytes = 1L << 30, int ObjectBytes = 16 << 20);

/// <summary>An object that holds leaf pages.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Length">How far its leaf pages reach, in bytes from its start.</param>
public sealed record IndexObject(string Key, long Length);

/// <summary>The end of a merged index: the objects that its leaves' pages lie in, and the pages of its root.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Point">The point.</param>
/// <param name="LeafBytes">How much of the image a leaf covers, in bytes.</param>
/// <param name="Generation">How many merged indexes it was built on, one on the other: leaves take turns in being folded by it.</param>
/// <param name="Objects">The objects, by the numbers that the root names them by.</param>
/// <param name="Pages">The root's pages, in order.</param>
public sealed record MergedDirectory(
    int Format, PointId Point, long LeafBytes, int Generation, IReadOnlyList<IndexObject> Objects, IReadOnlyList<Page> Pages);

/// <summary>What one index wrote of a leaf.</summary>
/// <param name="Object">Where its pages are.</param>
/// <param name="Pages">The pages, ascending, without overlap.</param>
internal sealed record LeafLayer(IndexObject Object, IReadOnlyList<Page> Pages);

/// <summary>A leaf of a merged index: a range of the image, and all that is known of it.</summary>
/// <param name="Number">Its place: it starts at this many times the leaves' size.</param>
/// <param name="Layers">The layers, the newest first: what is in none of a leaf's layers reads as zeros.</param>
internal sealed record Leaf(long Number, IReadOnlyList<LeafLayer> Layers);

/// <summary>The pages of a merged index's root: for each leaf that has anything its layers and their pages, as varints and digests.</summary>
internal static class RootPage
{
    /// <summary>A page of the root is closed when it has grown to this, in bytes.</summary>
    public const int Target = 128 << 10;

    private const int DigestBytes = 32;

    /// <summary>Appends a leaf.</summary>
    /// <param name="output">The page.</param>
    /// <param name="leaf">The leaf.</param>
    /// <param name="before">The number of the leaf before it in the page, or one less than the first one's.</param>
    /// <param name="leafBytes">What a leaf covers, in bytes.</param>
    /// <param name="objectNumber">The number of an object in the directory.</param>
    public static void Write(IBufferWriter<byte> output, Leaf leaf, long before, long leafBytes, Func<IndexObject, int> objectNumber)
    {
        Varint.Write(output, leaf.Number - before - 1);
        Varint.Write(output, leaf.Layers.Count);
        foreach (var layer in leaf.Layers)
        {
            Varint.Write(output, objectNumber(layer.Object));
            Varint.Write(output, layer.Pages.Count);
            var from = leaf.Number * leafBytes;
            foreach (var page in layer.Pages)
            {
                Varint.Write(output, page.Start - from);
                Varint.Write(output, page.End - page.Start);
                Varint.Write(output, page.Count);
                Varint.Write(output, page.Offset);
                Varint.Write(output, page.Length);
                Varint.Write(output, page.PlainLength);
                Convert.FromHexString(page.Sha256, output.GetSpan(DigestBytes), out _, out _);
                output.Advance(DigestBytes);
                from = page.End;
            }
        }
    }

    /// <summary>The leaves of a page of the root.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Corrupt"/>.</exception>
    public static List<Leaf> Read(byte[] plain, Page page, MergedDirectory directory, string key)
    {
        var leaves = new List<Leaf>(page.Count);
        ReadOnlySpan<byte> input = plain;
        for (var next = page.Start / directory.LeafBytes; leaves.Count < page.Count; next = leaves[^1].Number + 1)
        {
            if (!Varint.TryRead(ref input, out var gap) || gap > (page.End / directory.LeafBytes) - next
                || TryReadLayers(ref input, next + gap, directory) is not { } layers)
            {
                throw Damaged(key, page);
            }

            leaves.Add(new Leaf(next + gap, layers));
        }

        return input.IsEmpty ? leaves : throw Damaged(key, page);
    }

    private static RbdBackupException Damaged(string key, Page page) => RepositoryFormat.Corrupt(key, $"has a page at byte {page.Offset} that is no root of an index");

    private static List<LeafLayer>? TryReadLayers(ref ReadOnlySpan<byte> input, long leaf, MergedDirectory directory)
    {
        if (!Varint.TryRead(ref input, out var count) || count > input.Length)
        {
            return null;
        }

        var layers = new List<LeafLayer>();
        for (; count > 0; count--)
        {
            if (!Varint.TryRead(ref input, out var number) || number >= directory.Objects.Count || !Varint.TryRead(ref input, out var pages)
                || TryReadPages(ref input, pages, leaf * directory.LeafBytes, (leaf + 1) * directory.LeafBytes) is not { } read)
            {
                return null;
            }

            layers.Add(new LeafLayer(directory.Objects[(int)number], read));
        }

        return layers;
    }

    private static List<Page>? TryReadPages(ref ReadOnlySpan<byte> input, long count, long from, long end)
    {
        var pages = new List<Page>();
        for (; count > 0; count--)
        {
            var good = Varint.TryRead(ref input, out var gap) & Varint.TryRead(ref input, out var span) & Varint.TryRead(ref input, out var entries)
                & Varint.TryRead(ref input, out var offset) & Varint.TryRead(ref input, out var length) & Varint.TryRead(ref input, out var plain);
            if (!good || input.Length < DigestBytes || gap > end - from || span > end - from - gap
                || Math.Max(entries, Math.Max(length, plain)) > int.MaxValue || offset > long.MaxValue / 2)
            {
                return null;
            }

            var sha = Convert.ToHexStringLower(input[..DigestBytes]);
            input = input[DigestBytes..];
            pages.Add(new Page(from + gap, from + gap + span, (int)entries, offset, (int)length, (int)plain, sha));
            from = pages[^1].End;
        }

        return pages;
    }
}

/// <summary>Goes through the leaves of a merged index once, ascending. Memory: a page of the root.</summary>
internal sealed class LeafReader(IObjectStore store, IFrameCodec codec, string key, MergedDirectory directory)
{
    private int _page;
    private List<Leaf> _leaves = [];
    private int _next;

    /// <summary>The leaf with this number; null where there is nothing in it. Each call asks for a number that is not less than the last one's.</summary>
    /// <exception cref="RbdBackupException">NotFound; Corrupt.</exception>
    public async Task<Leaf?> FindAsync(long number, CancellationToken cancel)
    {
        while (true)
        {
            while (_next < _leaves.Count && _leaves[_next].Number < number)
            {
                _next++;
            }

            if (_next < _leaves.Count || _page == directory.Pages.Count || directory.Pages[_page].Start > number * directory.LeafBytes)
            {
                return _next < _leaves.Count && _leaves[_next].Number == number ? _leaves[_next] : null;
            }

            var page = directory.Pages[_page++];
            _leaves = RootPage.Read(await Pages.ReadAsync(store, key, page, codec, cancel), page, directory, key);
            _next = 0;
        }
    }
}
