using RbdBackup.Core.Model;

namespace RbdBackup.Stores.Tests;

public sealed class StoreFactoryTests
{
    [Theory]
    [InlineData("file:///srv/backup", "file:///srv/backup")]
    [InlineData("file:///srv/my%20backup/", "file:///srv/my backup")]
    [InlineData("s3://bucket", "s3://bucket/")]
    [InlineData("s3://bucket/", "s3://bucket/")]
    [InlineData("s3://bucket_1/a/b/", "s3://bucket_1/a/b")]
    [InlineData("swift://container", "swift://container/")]
    [InlineData("swift://container/a/b/", "swift://container/a/b")]
    public async Task A_url_chooses_the_store(string url, string shown)
    {
        await using var store = StoreFactory.Open(url, new StoreOptions { Swift = Swift("https://swift.example.org/auth/v1.0") });
        Assert.Equal(shown, store.Url);
    }

    [Theory]
    [InlineData("ftp://host/path", "'ftp'")]
    [InlineData("/srv/backup", "is a path")]
    [InlineData("backup", "no scheme")]
    [InlineData("file://srv/backup", "absolute path")]
    [InlineData("file:///srv/what?", "absolute path")]
    [InlineData("s3://", "name is missing")]
    [InlineData("s3:///prefix", "name is missing")]
    [InlineData("s3://key:secret@bucket/prefix", "endpoint and keys")]
    [InlineData("swift://", "name is missing")]
    [InlineData("swift://user:secret@container/prefix", "endpoint and keys")]
    [InlineData("swift://container/a b", "prefix")]
    [InlineData("s3://bucket/a/../b", "prefix")]
    [InlineData("s3://bucket/a b", "prefix")]
    public void A_wrong_url_says_what_is_wrong(string url, string why)
    {
        var e = Assert.Throws<RbdBackupException>(() => StoreFactory.Open(url, new StoreOptions()));
        Assert.Equal(ErrorKind.Usage, e.Kind);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Remedy);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_S3_options_are_usage_errors()
    {
        foreach (var wrong in new S3Options[]
        {
            new() { AccessKey = "only" }, new() { Endpoint = "host:80" }, new() { CaFile = "/no/such/file" }, new() { CaFile = "/dev/null" },
        })
        {
            var e = Assert.Throws<RbdBackupException>(() => StoreFactory.Open("s3://bucket", new StoreOptions { S3 = wrong }));
            Assert.Equal(ErrorKind.Usage, e.Kind);
        }
    }

    [Fact]
    public void Wrong_Swift_options_are_usage_errors()
    {
        foreach (var wrong in new SwiftOptions[]
        {
            new(), new() { AuthUrl = "https://host/auth" }, Swift("host/auth"), Swift("https://user:secret@host/auth"), Swift("https://host/auth", caFile: "/no/such/file"),
            Swift("https://host/auth", accountUrl: "host"), Keystone("host:5000"), Keystone("https://host/v2.0"), Keystone("https://host/v3", accountUrl: "ftp://host"),
        })
        {
            var e = Assert.Throws<RbdBackupException>(() => StoreFactory.Open("swift://container", new StoreOptions { Swift = wrong }));
            Assert.Equal(ErrorKind.Usage, e.Kind);
            Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
        }
    }

    private static SwiftOptions Swift(string authUrl, string? accountUrl = null, string? caFile = null) =>
        new() { AuthUrl = authUrl, User = "account:user", Key = "key", AccountUrl = accountUrl, CaFile = caFile };

    private static SwiftOptions Keystone(string authUrl, string? accountUrl = null) =>
        new() { Keystone = new() { AuthUrl = authUrl, Username = "user", Password = "password", ProjectName = "project" }, AccountUrl = accountUrl };
}
