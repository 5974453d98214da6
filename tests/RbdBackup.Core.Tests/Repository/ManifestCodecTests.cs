using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Tests.Repository;

public sealed class ManifestCodecTests : IAsyncLifetime
{
    private TestRepository _test = null!;
    private Manifest _manifest = null!;
    private string _key = null!;

    public async Task InitializeAsync()
    {
        _test = await TestRepository.OpenAsync();
        var full = TestRepository.Manifest(_test.Head(1 << 20));
        _manifest = TestRepository.Manifest(_test.Head(1 << 20, full)) with
        {
            Reason = "größer als 快照 \"so\"",
            Parent = new ImageParent(2, "images", "", "abc", "base", 4, "snap", 1 << 20),
            Policy = "gold",
        };
        _key = KeyOf(_manifest);
    }

    public Task DisposeAsync() => _test.DisposeAsync().AsTask();

    [Fact]
    public void What_was_written_is_read()
    {
        var stored = ManifestCodec.Write(_manifest);
        var read = ManifestCodec.Read(stored, _key);
        Assert.Equivalent(_manifest, read, strict: true);
        Assert.Equal(stored, ManifestCodec.Write(read));
    }

    [Fact]
    public void Every_change_of_a_byte_is_found_or_changes_nothing()
    {
        var stored = ManifestCodec.Write(_manifest);
        for (var at = 0; at < stored.Length; at++)
        {
            foreach (var change in new byte[] { 1, 2, 4, 8, 16, 32, 64, 128, 255 })
            {
                var damaged = stored.ToArray();
                damaged[at] ^= change;
                try
                {
                    Assert.Equal(stored, ManifestCodec.Write(ManifestCodec.Read(damaged, _key)));
                    Assert.True(at == stored.Length - 1, $"byte {at}");
                }
                catch (RbdBackupException e)
                {
                    Assert.Equal(ErrorKind.Corrupt, e.Kind);
                }
            }
        }
    }

    [Fact]
    public void What_was_cut_off_is_found()
    {
        var stored = ManifestCodec.Write(_manifest);
        for (var length = 0; length < stored.Length - 1; length += 7)
        {
            Assert.Equal(ErrorKind.Corrupt, Assert.Throws<RbdBackupException>(() => ManifestCodec.Read(stored[..length], _key)).Kind);
        }
    }

    [Theory]
    [InlineData("""{"format":2,"required_features":[],"point":{"of":"another shape"}}""", "format 2")]
    [InlineData("""{"format":1,"required_features":["a-newer-one"],"point":7}""", "a-newer-one")]
    [InlineData("""{"format":99999999999}""", "format 0")]
    public void What_a_newer_program_wrote_is_refused_in_words(string json, string word)
    {
        var error = Assert.Throws<RbdBackupException>(() => ManifestCodec.Read(Sealed(json), _key));
        Assert.Equal(ErrorKind.Unsupported, error.Kind);
        Assert.Contains(word, error.Message, StringComparison.Ordinal);
        Assert.Contains(_key, error.Message, StringComparison.Ordinal);
        Assert.NotNull(error.Remedy);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("null")]
    [InlineData("\"x\"")]
    [InlineData("""{"format":1,"required_features":[]}""")]
    public void A_digest_alone_makes_no_manifest(string json) =>
        Assert.Contains(
            Assert.Throws<RbdBackupException>(() => ManifestCodec.Read(Sealed(json), _key)).Kind, new[] { ErrorKind.Corrupt, ErrorKind.Unsupported });

    [Fact]
    public void A_field_of_a_later_minor_version_is_passed_over()
    {
        var json = JsonSerializer.Serialize(_manifest, RepositoryJson.Default.Manifest);
        Assert.Equivalent(_manifest, ManifestCodec.Read(Sealed(json[..^1] + ",\"new_and_optional\":{\"a\":1}}"), _key), strict: true);
    }

    [Fact]
    public void The_manifest_of_another_point_under_a_key_is_found()
    {
        var stored = ManifestCodec.Write(_manifest);
        Manifest[] others =
        [
            _manifest with { Point = PointId.New(_test.Time.Now) }, _manifest with { Revision = 2 }, _manifest with { Attempt = AttemptId.New() },
            _manifest with { Disk = TestRepository.Disk("other") }, _manifest with { Kind = PointKind.Full },
        ];
        Assert.All(others, other => Assert.Equal(ErrorKind.Corrupt, Assert.Throws<RbdBackupException>(() => ManifestCodec.Read(stored, KeyOf(other))).Kind));
    }

    private static string KeyOf(Manifest m) => Keys.Manifest(m.Disk.Key, m.Point, m.Revision, m.Attempt, m.Kind, m.StoredBytes);

    private static byte[] Sealed(string json) =>
        Encoding.UTF8.GetBytes($$"""{"sha256":"{{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json)))}}","manifest":{{json}}}""");
}
