using System.Buffers;
using FsCheck;
using FsCheck.Fluent;
using RbdBackup.Core.Diff;

namespace RbdBackup.Core.Tests.Diff;

/// <summary>A record and, for data, its bytes in hex: equal when they say the same.</summary>
internal sealed record Item(DiffRecord Record, string Hex)
{
    public byte[] Data => Convert.FromHexString(Hex);
}

/// <summary>Makes, writes, reads and applies diffs.</summary>
internal static class Diffs
{
    public static Item Named(DiffTag tag, string name) => new(new DiffRecord(tag, 0, 0, name), "");

    public static Item Sized(long size) => new(new DiffRecord(DiffTag.Size, 0, size, null), "");

    public static Item Changed(long offset, ReadOnlySpan<byte> data) =>
        new(new DiffRecord(DiffTag.Data, offset, data.Length, null), Convert.ToHexString(data));

    public static Item Zeroed(long offset, long length) => new(new DiffRecord(DiffTag.Zero, offset, length, null), "");

    public static Item Ended { get; } = new(new DiffRecord(DiffTag.End, 0, 0, null), "");

    /// <summary>Whole diffs of any names and size, with ascending ranges of a few bytes or, for zeros, of up to half of 2^62.</summary>
    public static Gen<Item[]> Whole { get; } =
        from @from in Gen.OrNull(Name)
        from to in Gen.OrNull(Name)
        from ranges in Gen.ListOf(Range)
        from spare in Gen.Choose(0, 10_000)
        select Assemble(@from, to, ranges, spare);

    public static Gen<DiffFormat> Format { get; } = Gen.Elements(DiffFormat.V1, DiffFormat.V2);

    private static Gen<string> Name => Gen.Elements("", "a", "rbdbackup.0190", "Schnappschuß", "快照", new string('n', 300));

    private static Gen<(int Gap, long Length, byte[]? Data)> Range =>
        from gap in Gen.Choose(0, 5000)
        from length in Gen.Choose(1, 40)
        from shift in Gen.Elements(0, 12, 40)
        from data in Gen.OrNull(Gen.ArrayOf(Gen.Choose(0, 255).Select(b => (byte)b), length))
        select (gap, data?.Length ?? (long)length << shift, data);

    public static void Check<T>(Gen<T> gen, int tests, Action<T> holds) =>
        FsCheck.Check.One(Config.QuickThrowOnFailure.WithMaxTest(tests), Prop.ForAll(gen.ToArbitrary(), holds));

    public static byte[] Write(IEnumerable<Item> items, DiffFormat format, bool header = true)
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new DiffWriter(output, format);
        if (header)
        {
            writer.Header();
        }

        foreach (var item in items)
        {
            Write(writer, item);
        }

        return output.WrittenSpan.ToArray();
    }

    public static List<Item> ReadSpan(ReadOnlySpan<byte> records, DiffFormat format)
    {
        var items = new List<Item>();
        var reader = new DiffSpanReader(records, format);
        while (reader.TryRead(out var record))
        {
            items.Add(new Item(new DiffRecord(record.Tag, record.Offset, record.Length, record.Name), Convert.ToHexString(record.Data)));
        }

        return items;
    }

    public static async Task<List<Item>> ReadAsync(Stream input, DiffLimits limits)
    {
        var items = new List<Item>();
        var reader = new DiffStreamReader(input, limits);
        while (await reader.ReadAsync(CancellationToken.None) is { } record)
        {
            var data = new ArrayBufferWriter<byte>();
            while (await reader.ReadDataAsync(data.GetMemory(1), CancellationToken.None) is > 0 and var read)
            {
                data.Advance(read);
            }

            items.Add(new Item(record, Convert.ToHexString(data.WrittenSpan)));
        }

        return items;
    }

    /// <summary>Makes an image what a diff says that it becomes.</summary>
    public static byte[] Apply(byte[] image, IEnumerable<Item> items)
    {
        var result = image.ToArray();
        foreach (var (record, data) in items.Select(i => (i.Record, i.Data)))
        {
            switch (record.Tag)
            {
                case DiffTag.Size:
                    Array.Resize(ref result, (int)record.Length);
                    break;
                case DiffTag.Data:
                    data.CopyTo(result, record.Offset);
                    break;
                case DiffTag.Zero:
                    result.AsSpan((int)record.Offset, (int)record.Length).Clear();
                    break;
                default:
                    break;
            }
        }

        return result;
    }

    private static void Write(DiffWriter writer, Item item)
    {
        switch (item.Record.Tag)
        {
            case DiffTag.FromSnap:
                writer.FromSnap(item.Record.Name!);
                break;
            case DiffTag.ToSnap:
                writer.ToSnap(item.Record.Name!);
                break;
            case DiffTag.Size:
                writer.Size(item.Record.Length);
                break;
            case DiffTag.Data:
                writer.Data(item.Record.Offset, item.Data);
                break;
            case DiffTag.Zero:
                writer.Zero(item.Record.Offset, item.Record.Length);
                break;
            default:
                writer.End();
                break;
        }
    }

    private static Item[] Assemble(string? @from, string? to, IEnumerable<(int Gap, long Length, byte[]? Data)> ranges, int spare)
    {
        var end = 0L;
        var body = new List<Item>();
        foreach (var (gap, length, data) in ranges)
        {
            body.Add(data is null ? Zeroed(end + gap, length) : Changed(end + gap, data));
            end = body[^1].Record.RangeEnd;
        }

        Item?[] head = [@from is null ? null : Named(DiffTag.FromSnap, @from), to is null ? null : Named(DiffTag.ToSnap, to), Sized(end + spare)];
        return [.. head.OfType<Item>(), .. body, Ended];
    }
}
