using System.Buffers.Binary;
using System.Text;
using RbdBackup.Core.Diff;

namespace RbdBackup.Core.Tests.Diff;

/// <summary>The format as Ceph's own <c>rbd</c> command has it, on the cluster of devstack/mini.</summary>
public sealed class RbdCommandTests : IAsyncLifetime
{
    private const int Mebibyte = 1 << 20;
    private const int FirstSize = 16 * Mebibyte;
    private const int SecondSize = 18 * Mebibyte;

    private readonly string _image = $"volumes/difftest-{Guid.NewGuid():N}";
    private readonly Random _random = new(20260101);

    private string Copy => $"{_image}-copy";

    public async Task InitializeAsync() => await RbdAsync("create", _image, "--size", "16M");

    public async Task DisposeAsync()
    {
        foreach (var name in Lines(await RbdAsync("ls", "volumes")).Where(n => $"volumes/{n}".StartsWith(_image, StringComparison.Ordinal)))
        {
            await RbdAsync("snap", "purge", $"volumes/{name}");
            await RbdAsync("rm", $"volumes/{name}");
        }
    }

    [Fact]
    public async Task What_export_diff_writes_is_read_and_gives_the_snapshot_s_bytes()
    {
        await FillByRbdAsync();
        var full = await ReadAsync(await RbdAsync("export-diff", $"{_image}@one", "-"));
        Assert.Equal([Diffs.Named(DiffTag.ToSnap, "one"), Diffs.Sized(FirstSize)], full[..2]);
        var image = Diffs.Apply([], full);
        Assert.Equal(await ExportAsync(_image, "one"), image);

        var increment = await ReadAsync(await RbdAsync("export-diff", "--from-snap", "one", $"{_image}@two", "-"));
        Assert.Equal([Diffs.Named(DiffTag.FromSnap, "one"), Diffs.Named(DiffTag.ToSnap, "two"), Diffs.Sized(SecondSize)], increment[..3]);
        Assert.Contains(increment, i => i.Record.Tag == DiffTag.Data);
        Assert.Contains(increment, i => i.Record.Tag == DiffTag.Zero);
        Assert.Equal(await ExportAsync(_image, "two"), Diffs.Apply(image, increment));
    }

    [Fact]
    public async Task The_diffs_of_version_2_in_an_export_are_read_one_after_the_other()
    {
        await FillByRbdAsync();
        await RbdAsync("snap", "protect", $"{_image}@one");
        var bytes = await RbdAsync("export", "--export-format", "2", _image, "-");
        await RbdAsync("snap", "unprotect", $"{_image}@one");

        // Behind the image's properties: a banner, the number of diffs in eight bytes, the diffs.
        var banner = "rbd image diffs v2\n"u8;
        using var export = new MemoryStream(bytes) { Position = bytes.AsSpan().IndexOf(banner) + banner.Length };
        var count = new byte[8];
        await export.ReadExactlyAsync(count);
        Assert.Equal(3, BinaryPrimitives.ReadInt64LittleEndian(count));

        byte[] image = [];
        foreach (var snapshot in new[] { "one", "two", null })
        {
            var diff = await Diffs.ReadAsync(export, DiffLimits.Default);
            Assert.Equal(snapshot, diff.Find(i => i.Record.Tag == DiffTag.ToSnap)?.Record.Name);
            image = Diffs.Apply(image, diff);
            Assert.Equal(await ExportAsync(_image, snapshot ?? "two"), image);
        }

        Assert.Equal(export.Length, export.Position);
    }

    [Fact]
    public async Task What_we_write_goes_through_import_diff()
    {
        var (first, second) = (MakeImage(FirstSize), MakeImage(SecondSize));
        await RbdAsync(Diffs.Write(MakeDiff([], first, null, "one"), DiffFormat.V1), "import-diff", "-", _image);
        await RbdAsync(Diffs.Write(MakeDiff(first, second, "one", "two"), DiffFormat.V1), "import-diff", "-", _image);
        Assert.Equal(first, await ExportAsync(_image, "one"));
        Assert.Equal(second, await ExportAsync(_image, "two"));
    }

    [Fact]
    public async Task What_we_write_in_version_2_goes_through_import()
    {
        var (first, second) = (MakeImage(FirstSize), MakeImage(SecondSize));
        byte[] export =
        [
            .. "rbd image v2\nE"u8, .. "rbd image diffs v2\n"u8, 2, 0, 0, 0, 0, 0, 0, 0,
            .. Diffs.Write(MakeDiff([], first, null, "one"), DiffFormat.V2),
            .. Diffs.Write(MakeDiff(first, second, "one", "two"), DiffFormat.V2),
        ];
        await RbdAsync(export, "import", "--export-format", "2", "-", Copy);
        Assert.Equal(first, await ExportAsync(Copy, "one"));
        Assert.Equal(second, await ExportAsync(Copy, "two"));
    }

    [Fact]
    public async Task Merge_diff_takes_ours_and_we_read_what_it_makes()
    {
        byte[][] images = [[], MakeImage(FirstSize), MakeImage(SecondSize)];
        var folder = Directory.CreateTempSubdirectory("difftest-");
        try
        {
            var (first, second, merged) = (Path.Join(folder.FullName, "1"), Path.Join(folder.FullName, "2"), Path.Join(folder.FullName, "merged"));
            await File.WriteAllBytesAsync(first, Diffs.Write(MakeDiff(images[0], images[1], null, "one"), DiffFormat.V1));
            await File.WriteAllBytesAsync(second, Diffs.Write(MakeDiff(images[1], images[2], "one", "two"), DiffFormat.V1));
            await RbdAsync("merge-diff", first, second, merged);

            var bytes = await File.ReadAllBytesAsync(merged);
            Assert.Equal(images[2], Diffs.Apply([], await ReadAsync(bytes)));
            await RbdAsync(bytes, "import-diff", "-", _image);
            Assert.Equal(images[2], await ExportAsync(_image, "two"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Two snapshots by rbd's own hand, with writes, a shrink and a growth between them.</summary>
    private async Task FillByRbdAsync()
    {
        await RbdAsync("bench", "--io-type", "write", "--io-pattern", "rand", "--io-size", "8K", "--io-total", "2M", _image);
        await RbdAsync("snap", "create", $"{_image}@one");
        await RbdAsync("resize", "--allow-shrink", "--size", "7M", _image);
        await RbdAsync("resize", "--size", "18M", _image);
        await RbdAsync("bench", "--io-type", "write", "--io-pattern", "rand", "--io-size", "4K", "--io-total", "128K", _image);
        await RbdAsync("snap", "create", $"{_image}@two");
    }

    /// <summary>Random data and zeros in turns of odd lengths.</summary>
    private byte[] MakeImage(int size)
    {
        var image = new byte[size];
        for (var at = 0; at < size;)
        {
            var length = Math.Min(_random.Next(1, 300_000), size - at);
            if (_random.Next(2) == 0)
            {
                _random.NextBytes(image.AsSpan(at, length));
            }

            at += length;
        }

        return image;
    }

    /// <summary>What leads from one image to another, in extents of an odd length, each split into data and zeros.</summary>
    private static List<Item> MakeDiff(byte[] from, byte[] to, string? fromSnap, string toSnap)
    {
        const int Extent = 100_000;
        List<Item> items = [Diffs.Named(DiffTag.ToSnap, toSnap), Diffs.Sized(to.Length)];
        if (fromSnap is not null)
        {
            items.Insert(0, Diffs.Named(DiffTag.FromSnap, fromSnap));
        }

        Array.Resize(ref from, to.Length);
        for (var at = 0; at < to.Length; at += Extent)
        {
            var bytes = to.AsSpan(at, Math.Min(Extent, to.Length - at));
            if (bytes.SequenceEqual(from.AsSpan(at, bytes.Length)))
            {
                continue;
            }

            foreach (var run in ZeroRuns.Enumerate(bytes, at, ZeroRuns.Block))
            {
                items.Add(run.IsZero ? Diffs.Zeroed(at + run.Start, run.Length) : Diffs.Changed(at + run.Start, bytes.Slice(run.Start, run.Length)));
            }
        }

        return [.. items, Diffs.Ended];
    }

    private static Task<List<Item>> ReadAsync(byte[] diff) => Diffs.ReadAsync(new MemoryStream(diff), DiffLimits.Default);

    private static Task<byte[]> ExportAsync(string image, string snapshot) => RbdAsync("export", $"{image}@{snapshot}", "-");

    private static Task<byte[]> RbdAsync(params string[] arguments) => RbdAsync([], arguments);

    private static Task<byte[]> RbdAsync(byte[] input, params string[] arguments)
    {
        var conf = Environment.GetEnvironmentVariable("CEPH_CONF") ?? throw new InvalidOperationException("CEPH_CONF is not set: run eval \"$(devstack/mini/mini env)\"");
        return Tool.RunAsync("rbd", ["--conf", conf, "--id", "admin", .. arguments], input);
    }

    private static string[] Lines(byte[] output) => Encoding.UTF8.GetString(output).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
