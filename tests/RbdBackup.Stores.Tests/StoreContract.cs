using System.Buffers;
using FsCheck.Fluent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>What every store promises; one class a store gives it the real thing, empty, for each test.</summary>
public abstract class StoreContract : IAsyncLifetime
{
    private static readonly string[] AwkwardKeys =
        ["a", "a-b", "a.b", "a/b", "a/b-c", "a/b.c/d", "a0", "b~1", "b%2Fc", "%25", "..a/..b", "B/c", "~", "-", "_"];

    protected IObjectStore Store { get; private set; } = null!;

    private static CancellationToken None => CancellationToken.None;

    public async Task InitializeAsync() => Store = await OpenEmptyAsync();

    public abstract Task DisposeAsync();

    protected abstract Task<IObjectStore> OpenEmptyAsync();

    /// <summary>True where 'a' and 'a/b' may both be objects.</summary>
    protected abstract bool KeysMayNest { get; }

    [Fact]
    public async Task An_existing_store_passes_the_check() => await Store.CheckAsync(None);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    [InlineData(20 * 1024 * 1024)]
    public async Task What_was_put_is_got_back(int length)
    {
        var content = Bytes(length);
        await Store.PutAsync("some/object", Sequence(content, 65_536), None);
        Assert.Equal(content, await Store.GetAsync("some/object", length, None));
        var stat = await Store.StatAsync("some/object", None);
        Assert.Equal(("some/object", (long)length), (stat!.Key, stat.Length));
        Assert.InRange(stat.Modified, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        var listed = Assert.Single(await ListAsync(""));
        // Some services tell the time to the second in one answer and finer in another.
        Assert.Equal((stat.Key, stat.Length), (listed.Key, listed.Length));
        Assert.InRange(listed.Modified - stat.Modified, TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_sequence_of_many_odd_pieces_is_one_object()
    {
        var content = Bytes(70_001);
        await Store.PutAsync("pieces", Sequence(content, 97), None);
        Assert.Equal(content, await Store.GetAsync("pieces", content.Length, None));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 5000)]
    [InlineData(1, 4999)]
    [InlineData(4999, 1)]
    [InlineData(1234, 0)]
    public async Task A_range_is_that_part_of_the_object(int offset, int length)
    {
        var content = Bytes(5000);
        await Store.PutAsync("r", new(content), None);
        var part = new byte[length];
        await Store.GetRangeAsync("r", offset, part, None);
        Assert.Equal(content[offset..(offset + length)], part);
    }

    [Theory]
    [InlineData(0, 5001)]
    [InlineData(4999, 2)]
    [InlineData(5000, 1)]
    [InlineData(9000, 1)]
    public async Task A_range_behind_the_end_is_corrupt(int offset, int length)
    {
        await Store.PutAsync("r", new(Bytes(5000)), None);
        await FailsAsync(ErrorKind.Corrupt, () => Store.GetRangeAsync("r", offset, new byte[length], None));
    }

    [Fact]
    public async Task An_object_longer_than_the_cap_is_corrupt()
    {
        await Store.PutAsync("c", new(Bytes(1001)), None);
        Assert.Equal(1001, (await Store.GetAsync("c", 1001, None)).Length);
        await FailsAsync(ErrorKind.Corrupt, () => Store.GetAsync("c", 1000, None));
    }

    [Fact]
    public async Task What_is_not_there_is_not_found()
    {
        await Store.PutAsync("a/b", new(Bytes(1)), None);
        foreach (var key in "nothing a a/c x/y/z".Split(' '))
        {
            await FailsAsync(ErrorKind.NotFound, () => Store.GetAsync(key, 10, None));
            await FailsAsync(ErrorKind.NotFound, () => Store.GetRangeAsync(key, 0, new byte[1], None));
            Assert.Null(await Store.StatAsync(key, None));
        }
        Assert.Empty(await ListAsync("x/"));
        Assert.Empty(await ListAsync("a/bc"));
    }

    [Fact]
    public async Task A_deletion_can_be_repeated_and_leaves_the_neighbours()
    {
        await Store.PutAsync("d/one/x", new(Bytes(1)), None);
        await Store.PutAsync("d/two/x", new(Bytes(1)), None);
        await Store.DeleteAsync("d/one/x", None);
        await Store.DeleteAsync("d/one/x", None);
        await Store.DeleteAsync("never/was", None);
        Assert.Equal(["d/two/x"], await KeysAsync(""));
        await Store.PutAsync("d/one/y", new(Bytes(1)), None);
        Assert.Equal(["d/one/y", "d/two/x"], await KeysAsync("d/"));
    }

    [Fact]
    public async Task A_prefix_is_the_start_of_a_key_and_not_a_folder()
    {
        foreach (var key in "ab a/b a-b b abc/d A".Split(' '))
        {
            await Store.PutAsync(key, new(Bytes(1)), None);
        }
        Assert.Equal(["a-b", "a/b", "ab", "abc/d"], await KeysAsync("a"));
        Assert.Equal(["a/b"], await KeysAsync("a/"));
        Assert.Equal(["ab", "abc/d"], await KeysAsync("ab"));
        Assert.Equal(["abc/d"], await KeysAsync("abc/"));
        Assert.Empty(await KeysAsync("a/b/"));
    }

    [Fact]
    public async Task Awkward_keys_are_kept_as_they_are()
    {
        var keys = new List<string>();
        foreach (var key in AwkwardKeys)
        {
            if (Fits(keys)(key))
            {
                keys.Add(key);
                await Store.PutAsync(key, new(System.Text.Encoding.ASCII.GetBytes(key)), None);
            }
        }
        Assert.Equal(keys.Order(StringComparer.Ordinal), await KeysAsync(""));
        foreach (var key in keys)
        {
            Assert.Equal(key, System.Text.Encoding.ASCII.GetString(await Store.GetAsync(key, 100, None)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("a/../b")]
    [InlineData("a/.")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("a\0")]
    public async Task A_bad_key_reaches_no_store(string key)
    {
        await Assert.ThrowsAsync<ArgumentException>(() => Store.PutAsync(key, new(Bytes(1)), None));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.GetAsync(key, 1, None));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.GetRangeAsync(key, 0, new byte[1], None));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.StatAsync(key, None));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.DeleteAsync(key, None));
    }

    [Fact]
    public async Task The_longest_key_is_taken()
    {
        var key = string.Join('/', new string('k', 255), new string('l', 255), new string('m', 255), new string('n', 32));
        await Store.PutAsync(key, new(Bytes(3)), None);
        Assert.Equal([key], await KeysAsync(""));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.StatAsync(key + "n", None));
        await Assert.ThrowsAsync<ArgumentException>(() => Store.StatAsync(new string('k', 256), None));
    }

    [Fact]
    public async Task Many_may_write_read_and_delete_at_once()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 64), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, cancel) =>
        {
            var content = Bytes(10_000 + i);
            // Sixteen folders that become empty and are made again while others write into them.
            var key = $"many/{i % 16}/{i}";
            await Store.PutAsync(key, new(content), cancel);
            Assert.Equal(content, await Store.GetAsync(key, content.Length, cancel));
            if (i % 2 == 0)
            {
                await Store.DeleteAsync(key, cancel);
            }
        });
        Assert.Equal(Enumerable.Range(0, 64).Where(i => i % 2 == 1).Select(i => $"many/{i % 16}/{i}").Order(StringComparer.Ordinal), await KeysAsync("many/"));
    }

    [Fact]
    public async Task The_same_object_may_be_put_again()
    {
        var content = Bytes(200_000);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Store.PutAsync("again", new(content), None)));
        await Store.PutAsync("again", Sequence(content, 1000), None);
        Assert.Equal(content, await Store.GetAsync("again", content.Length, None));
        Assert.Equal(["again"], await KeysAsync(""));
    }

    [Fact]
    public async Task Cancelled_work_stops_and_stores_nothing()
    {
        await Store.PutAsync("there", new(Bytes(10)), None);
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.PutAsync("c", new(Bytes(10)), cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.GetAsync("there", 10, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store.GetRangeAsync("there", 0, new byte[1], cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await Store.ListAsync("", cancelled).ToListAsync(None));
        Assert.Equal(["there"], await KeysAsync(""));
    }

    [Fact]
    public async Task Listings_agree_with_a_sorted_set()
    {
        var part = Gen.Elements("a", "b", "-", ".x", "a-", "a.", "~", "0", "A").NonEmptyListOf().Select(parts => string.Join('/', parts.Take(3)));
        var keys = part.ArrayOf(30).Sample(1).Single();
        var model = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var key in keys.Where(key => Fits(model)(key)))
        {
            model.Add(key);
            await Store.PutAsync(key, new(Bytes(1)), None);
        }
        var prefixes = model.SelectMany(key => Enumerable.Range(0, key.Length + 1).Select(length => key[..length])).Distinct().ToList();
        foreach (var prefix in prefixes)
        {
            Assert.Equal(model.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)), await KeysAsync(prefix));
        }
    }

    protected static async Task<RbdBackupException> FailsAsync(ErrorKind kind, Func<Task> act)
    {
        var e = await Assert.ThrowsAsync<RbdBackupException>(act);
        Assert.True(e.Kind == kind, $"{kind} was expected: {e}");
        return e;
    }

    protected static byte[] Bytes(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    protected async Task<List<string>> KeysAsync(string prefix) => [.. (await ListAsync(prefix)).Select(found => found.Key)];

    private Task<List<StoredObject>> ListAsync(string prefix) => Store.ListAsync(prefix, None).ToListAsync().AsTask();

    private Func<string, bool> Fits(IReadOnlyCollection<string> others) => key => KeysMayNest
        || !others.Any(other => key.StartsWith(other + '/', StringComparison.Ordinal) || other.StartsWith(key + '/', StringComparison.Ordinal));

    private protected static ReadOnlySequence<byte> Sequence(byte[] content, int pieceLength)
    {
        var first = new Piece(content.AsMemory(0, Math.Min(pieceLength, content.Length)), 0);
        var last = first;
        for (var offset = pieceLength; offset < content.Length; offset += pieceLength)
        {
            last = last.Append(content.AsMemory(offset, Math.Min(pieceLength, content.Length - offset)));
        }
        return new(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Piece Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Piece(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
