using FsCheck.Fluent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Tests.Diff;

namespace RbdBackup.Core.Tests.Repository;

public sealed class KeysTests
{
    private static readonly PointId Point = PointId.Parse("019b0000-0000-7000-8000-000000000001");
    private static readonly AttemptId Attempt = new("0123456789abcdef");

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("...")]
    [InlineData("%")]
    [InlineData("%2E")]
    [InlineData("~")]
    [InlineData("a b+c")]
    [InlineData("Größe 快照 🙂")]
    [InlineData("a.b_c-D9")]
    [InlineData("\\:*?\"<>|")]
    public void Hostile_names_become_safe_keys_and_come_back(string name)
    {
        foreach (var image in new[] { new ImageSpec(name, "x"), new ImageSpec("p", name, "x"), new ImageSpec("p", name) })
        {
            var disk = Keys.Disk(TestRepository.Fsid, image);
            Assert.Equal((TestRepository.Fsid, image), Keys.ParseDisk(disk));
            Assert.Equal(4, disk.Split('/').Length);
            Assert.All(disk.Split('/'), part => Assert.Matches("^(~|[A-Za-z0-9_%-][A-Za-z0-9._%-]*)$", part));
            var manifest = Keys.Manifest(disk, Point, 2, Attempt, PointKind.Increment, 77);
            Assert.Equal(new ManifestKey(manifest, disk, Point, 2, Attempt, PointKind.Increment, 77), Keys.TryParseManifest(manifest));
            Assert.Equal((disk, Point), Keys.TryParseAborted(Keys.Aborted(disk, Point)));
        }
    }

    [Fact]
    public void No_two_names_share_a_key()
    {
        var part = Gen.NonEmptyListOf(Gen.Elements('.', '%', '~', 'a', 'E', '2', '5', 'ü', '_')).Select(c => new string([.. c]));
        var image = Gen.Select(Gen.Zip(part, part), n => new ImageSpec(n.Item1, n.Item2));
        Diffs.Check(Gen.Zip(image, image), 2000, pair =>
            Assert.Equal(pair.Item1 == pair.Item2, Keys.Disk("f", pair.Item1) == Keys.Disk("f", pair.Item2)));
    }

    [Theory]
    [InlineData(256, 1)]
    [InlineData(100, 8)]
    public void A_name_that_no_store_can_hold_is_refused_in_words(int length, int bytesEach)
    {
        var name = new string(bytesEach == 1 ? 'n' : 'ü', length);
        var error = Assert.Throws<RbdBackupException>(() => Keys.Disk(TestRepository.Fsid, new ImageSpec("vms", name)));
        Assert.Equal(ErrorKind.Unsupported, error.Kind);
    }

    [Fact]
    public void The_longest_names_that_are_taken_make_keys_that_every_store_takes()
    {
        var disk = Keys.Disk(TestRepository.Fsid, new ImageSpec(new string('p', 190), new string('n', 190), new string('i', 255)));
        Assert.True(Keys.Manifest(disk, Point, int.MaxValue, Attempt, PointKind.Increment, long.MaxValue).Length <= 800);
        Assert.Throws<RbdBackupException>(() => Keys.Disk(TestRepository.Fsid, new ImageSpec(new string('p', 250), new string('n', 250), new string('i', 255))));
    }

    [Theory]
    [InlineData("points/f/p/~/i/019b0000-0000-7000-8000-000000000001.000001.0123456789abcdef.full.json")]
    [InlineData("points/f/p/~/i/019b0000-0000-7000-8000-000000000001.000001.0123456789ABCDEF.full.1.json")]
    [InlineData("points/f/p/~/i/019b0000-0000-4000-8000-000000000001.000001.0123456789abcdef.full.1.json")]
    [InlineData("points/f/p/~/i/019b0000-0000-7000-8000-000000000001.-00001.0123456789abcdef.full.1.json")]
    [InlineData("points/f/p/i/019b0000-0000-7000-8000-000000000001.000001.0123456789abcdef.full.1.json")]
    [InlineData("data/f/p/~/i/019b0000-0000-7000-8000-000000000001.000001.0123456789abcdef.full.1.json")]
    [InlineData("points/f/p/~/i/019b0000-0000-7000-8000-000000000001.000001.0123456789abcdef.half.1.json")]
    [InlineData("points/README")]
    public void What_is_no_manifests_key_is_not_taken_for_one(string key) => Assert.Null(Keys.TryParseManifest(key));

    [Fact]
    public void Data_keys_tell_their_point_and_segments_sort_by_number()
    {
        List<string> keys = [Keys.Segment(Point, 0, Attempt), Keys.Segment(Point, 9, Attempt), Keys.Segment(Point, 10, Attempt), Keys.Segment(Point, 12345678, Attempt)];
        Assert.Equal(keys, keys.Order(StringComparer.Ordinal));
        Assert.All(keys, k => Assert.Equal(Point, Keys.PointOfData(k)));
        Assert.Equal((12345678, Attempt), Keys.TryParseSegment(keys[^1]));
        foreach (var other in new[] { Keys.Plan(Point, Attempt), Keys.Index(Point, Attempt), Keys.References(Point, Attempt) })
        {
            Assert.Equal(Point, Keys.PointOfData(other));
            Assert.Null(Keys.TryParseSegment(other));
        }

        Assert.Null(Keys.PointOfData("data/notes.txt"));
        Assert.Null(Keys.PointOfData($"data/{Point}"));
        Assert.Null(Keys.PointOfData($"data/{Point}-copy/x"));
    }

    [Fact]
    public void Keys_of_a_sealed_repository_tell_what_they_are()
    {
        var wrap = Keys.Wrap(Point, Attempt, 12, Attempt);
        Assert.StartsWith(Keys.WrapsOf(Point, Attempt), wrap, StringComparison.Ordinal);
        Assert.Equal((Attempt, 12), Keys.TryParseWrap(wrap));
        Assert.Equal(Point, Keys.PointOfData(wrap));
        Assert.Null(Keys.TryParseSegment(wrap));
        Assert.All([Keys.Plan(Point, Attempt), Keys.Segment(Point, 1, Attempt), wrap + "0", "wraps"], k => Assert.Null(Keys.TryParseWrap(k)));
        Assert.True(Keys.IsKeySlot(Keys.KeySlot("0a1b2c3d", Attempt)));
        Assert.All([Keys.OlderMaster(1, Attempt), "keys/notes", "keys/0A1B2C3D.0123456789abcdef.json", wrap], k => Assert.False(Keys.IsKeySlot(k)));
        Assert.StartsWith(Keys.OlderMasters(7), Keys.OlderMaster(7, Attempt), StringComparison.Ordinal);
    }

    [Fact]
    public void Garbage_lists_tell_their_time()
    {
        var at = new DateTimeOffset(2026, 3, 2, 1, 2, 3, TimeSpan.Zero);
        Assert.Equal(at, Keys.TryParseGarbage(Keys.Garbage(at, Attempt)));
        Assert.Null(Keys.TryParseGarbage("gc/notes"));
        Assert.Null(Keys.TryParseGarbage(Keys.Plan(Point, Attempt)));
    }
}
