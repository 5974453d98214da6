namespace RbdBackup.Core.Restore;

/// <summary>A range that has to be written.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">How long it is, in bytes.</param>
/// <param name="IsZero">True where zeros are wanted.</param>
public readonly record struct ByteRange(int Offset, int Length, bool IsZero);

/// <summary>What has to be written to make some bytes others. Pure.</summary>
public static class ByteDifference
{
    /// <summary>The unit of comparison, in bytes: what a disk's sector and a file system's block are at most, as a rule.</summary>
    public const int Block = 4096;

    /// <summary>The ranges that differ, ascending, in whole blocks (the last one may be shorter); neighbours of one kind are one range.</summary>
    /// <param name="wanted">The bytes that are wanted.</param>
    /// <param name="actual">The bytes that are there; as many.</param>
    public static IReadOnlyList<ByteRange> Between(ReadOnlySpan<byte> wanted, ReadOnlySpan<byte> actual)
    {
        var ranges = new List<ByteRange>();
        for (var at = 0; at < wanted.Length; at += Block)
        {
            // Most bytes are the same, mostly many in a row.
            at += wanted[at..].CommonPrefixLength(actual[at..]) / Block * Block;
            if (at >= wanted.Length)
            {
                break;
            }

            var block = wanted.Slice(at, Math.Min(Block, wanted.Length - at));
            if (block.SequenceEqual(actual.Slice(at, block.Length)))
            {
                continue;
            }

            var range = new ByteRange(at, block.Length, !block.ContainsAnyExcept((byte)0));
            if (ranges.Count > 0 && ranges[^1].IsZero == range.IsZero && ranges[^1].Offset + ranges[^1].Length == at)
            {
                ranges[^1] = ranges[^1] with { Length = ranges[^1].Length + range.Length };
            }
            else
            {
                ranges.Add(range);
            }
        }

        return ranges;
    }
}
