using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Core.Tests.Sealing;

/// <summary>The test vectors of docs/FORMAT.md, which another library made (Python's <c>cryptography</c>): what they say is what this program opens.</summary>
public sealed class VectorTests
{
    private static readonly Guid Repository = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
    private static readonly PointId Point = new(Guid.Parse("019cac0f-2a68-7a59-b64b-31359cc8c02b"));
    private static readonly AttemptId Attempt = new("bbe2934786353159");
    private static readonly byte[] Master = Bytes(32), AttemptKey = Bytes(96), DataKey = Bytes(128);

    // Each line of the table: its name in backticks, then the value in backticks.
    private static readonly Dictionary<string, string> Vectors = File.ReadLines(TopFolder.Of("docs/FORMAT.md"))
        .SkipWhile(l => !l.StartsWith("### Test vectors", StringComparison.Ordinal)).TakeWhile(l => !l.StartsWith("## ", StringComparison.Ordinal))
        .Select(l => l.Split('|')).Where(c => c.Length == 4 && c[2].Contains('`', StringComparison.Ordinal))
        .ToDictionary(c => c[1].Trim(), c => c[2].Trim(' ', '`'));

    [Theory]
    [InlineData("slot, raw", "raw", 0, "first", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")]
    [InlineData("slot, passphrase", "passphrase", 600_000, "Zürich", "correct horse battery staple")]
    public void A_slot_opens(string name, string kind, int iterations, string label, string secret)
    {
        var slot = new KeySlot
        {
            Format = 1,
            Repository = Repository,
            Slot = "0a1b2c3d",
            Kind = kind,
            Label = label,
            Generation = 1,
            Created = default,
            Iterations = iterations,
            Salt = Convert.ToHexStringLower(Bytes(160)),
            Wrapped = Vectors[name],
        };
        var opens = RepositorySecret.Parse(secret, "a test");
        Assert.Equal(Master, slot.TryOpen(opens));
        KeySlot[] others =
        [
            slot with { Repository = Guid.NewGuid() }, slot with { Slot = "0a1b2c3e" }, slot with { Label = "other" }, slot with { Generation = 2 },
            slot with { Iterations = iterations + 1 }, slot with { Kind = "x25519" }, slot with { Wrapped = "00" }, slot with { Wrapped = "no hex" },
        ];
        Assert.All(others, o => Assert.Null(o.TryOpen(opens)));
    }

    [Fact]
    public void An_older_master_key_opens()
    {
        var older = new OlderMaster(1, Repository, 1, Vectors["older master"]);
        Assert.Equal(Master, older.TryOpen(Bytes(64)));
        Assert.Null((older with { Generation = 2 }).TryOpen(Bytes(64)));
        Assert.Null(older.TryOpen(Bytes(65)));
    }

    [Fact]
    public void An_attempts_key_opens()
    {
        var wrap = new AttemptWrap(1, "master", 1, Vectors["attempt's key"]);
        Assert.Equal(AttemptKey, wrap.TryOpen(Repository, Point, Attempt, Master));
        Assert.Null(wrap.TryOpen(Repository, Point, new AttemptId("bbe2934786353158"), Master));
        Assert.Null((wrap with { Generation = 2 }).TryOpen(Repository, Point, Attempt, Master));
        Assert.Null((wrap with { Kind = "other" }).TryOpen(Repository, Point, Attempt, Master));
    }

    [Fact]
    public void A_frame_opens()
    {
        Assert.Equal(DataKey, Aead.TryUnwrap(AttemptKey, Convert.FromHexString(Vectors["data key"]), SealedFrame.BoundKey(Repository, Point, Attempt, 7)));
        var stored = Convert.FromHexString(Vectors["frame"]);
        Assert.True(SealedFrame.TryOpen(Repository, new FrameName(Point, Attempt, 7, 1000, stored.Length), AttemptKey, stored));
        Assert.Equal("a frame", Encoding.ASCII.GetString(stored.AsSpan()[SealedFrame.HeadBytes..^Aead.TagBytes]));
        FrameName[] others = [new(Point, Attempt, 8, 1000, 0), new(Point, Attempt, 7, 1001, 0), new(PointId.New(DateTimeOffset.UnixEpoch), Attempt, 7, 1000, 0)];
        Assert.All(others, o => Assert.False(SealedFrame.TryOpen(Repository, o, AttemptKey, Convert.FromHexString(Vectors["frame"]))));
        Assert.False(SealedFrame.TryOpen(Repository, new FrameName(Point, Attempt, 7, 1000, 79), AttemptKey, stored.AsSpan(0, 79)));
    }

    [Fact]
    public void A_block_opens()
    {
        var key = SealedBlocks.KeyOf(Master, Repository, "jobs/x.json");
        Assert.Equal(Vectors["object's key"], Convert.ToHexStringLower(key));
        using var gcm = new AesGcm(key, Aead.TagBytes);
        var stored = Convert.FromHexString(Vectors["block"]);
        Assert.Equal("{\"a\":1}"u8.ToArray(), SealedBlocks.TryOpen(gcm, 1, 0, 7, stored));
        Assert.Null(SealedBlocks.TryOpen(gcm, 1, 1, 7, stored));
        Assert.Null(SealedBlocks.TryOpen(gcm, 1, 0, 8, stored));
        Assert.Null(SealedBlocks.TryOpen(gcm, 2, 0, 7, stored));
        Assert.Equal(stored.Length, SealedBlocks.Seal(gcm, 1, new ReadOnlySequence<byte>("{\"a\":1}"u8.ToArray())).Length);
    }

    [Theory]
    [InlineData(0, 32)]
    [InlineData(1, 33)]
    [InlineData(16384, 16416)]
    [InlineData(16385, 16449)]
    [InlineData(1_000_000, 1_001_984)]
    public void Lengths_lead_to_each_other(long plain, long stored)
    {
        Assert.Equal(stored, SealedBlocks.StoredLength(plain));
        Assert.Equal(plain, SealedBlocks.PlainLength(stored));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(16416 + 32)]
    [InlineData(16416 + 5)]
    public void Lengths_that_no_object_has_are_none(long stored) => Assert.Null(SealedBlocks.PlainLength(stored));

    private static byte[] Bytes(int first) => [.. Enumerable.Range(first, 32).Select(n => (byte)n)];
}
