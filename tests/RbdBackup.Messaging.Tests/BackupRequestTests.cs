using System.Text;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Messaging.Tests;

public class BackupRequestTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 2, 0, 0, TimeSpan.Zero);

    private static readonly BackupRequest Request = BackupRequest.New(
        ImageSpec.Parse("volumes/tenant/volume-1"),
        DedupKey.Of(ImageSpec.Parse("volumes/tenant/volume-1"), "snapshot", "7"),
        new AskedBy(AskedSource.Notification, "project", "user", "req-1", "message-1"),
        Now) with
    { Snapshot = "snapshot-7", Full = true, Policy = "daily" };

    [Fact]
    public void ReadsWhatItWrites()
    {
        Assert.Equal(Request, BackupRequestJson.Read(BackupRequestJson.Write(Request)));
        var least = Request with { Snapshot = null, Full = false, Policy = null, AskedBy = new AskedBy(AskedSource.Cli) };
        Assert.Equal(least, BackupRequestJson.Read(BackupRequestJson.Write(least)));
    }

    [Fact]
    public void WritesTheShapeThatIsDocumented() => Assert.Equal(
        $$"""{"version":1,"id":"{{Request.Id}}","dedup_key":"{{Request.DedupKey}}","image":"volumes/tenant/volume-1","snapshot":"snapshot-7","full":true,"policy":"daily" """.TrimEnd()
        + ""","asked_by":{"source":"notification","project":"project","user":"user","request_id":"req-1","message_id":"message-1"},"created":"2026-11-21T02:00:00+00:00"}""",
        Encoding.UTF8.GetString(BackupRequestJson.Write(Request)));

    [Theory]
    [InlineData("version", "0")]
    [InlineData("version", "\"1\"")]
    [InlineData("version", "null")]
    [InlineData("id", "\"00000000-0000-0000-0000-000000000000\"")]
    [InlineData("id", "7")]
    [InlineData("dedup_key", "\"short\"")]
    [InlineData("dedup_key", "7")]
    [InlineData("image", "\"no-pool\"")]
    [InlineData("image", "\"a/b@c\"")]
    [InlineData("image", "null")]
    [InlineData("image", "{}")]
    [InlineData("snapshot", "\"\"")]
    [InlineData("snapshot", "\"a@b\"")]
    [InlineData("snapshot", "\"a/b\"")]
    [InlineData("policy", "\"a\\nb\"")]
    [InlineData("policy", "\"\\ud800\"")]
    [InlineData("full", "\"yes\"")]
    [InlineData("asked_by", "null")]
    [InlineData("asked_by", "{}")]
    [InlineData("asked_by", "{\"source\":\"nobody\"}")]
    [InlineData("created", "\"yesterday\"")]
    public void SaysWhatIsWrong(string member, string value)
    {
        var json = JsonNode.Parse(BackupRequestJson.Write(Request))!;
        json[member] = "@@";
        Broken(json.ToJsonString().Replace("\"@@\"", value, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("version")]
    [InlineData("id")]
    [InlineData("dedup_key")]
    [InlineData("image")]
    [InlineData("asked_by")]
    [InlineData("created")]
    public void SaysWhatIsMissing(string member)
    {
        var json = JsonNode.Parse(BackupRequestJson.Write(Request))!.AsObject();
        json.Remove(member);
        Broken(json.ToJsonString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\0")]
    [InlineData("{")]
    public void SaysThatItIsNoRequest(string text) => Broken(text);

    [Fact]
    public void RefusesWhatIsTooLong() => Broken(new string(' ', BackupRequestJson.MaxBytes + 1));

    [Fact]
    public void ANewerVersionIsNotTouched()
    {
        var e = Assert.Throws<RbdBackupException>(() => BackupRequestJson.Read("""{"version": 2, "shape": "another"}"""u8.ToArray()));
        Assert.Equal(ErrorKind.Unsupported, e.Kind);
    }

    [Fact]
    public void AnythingDamagedIsARequestOrAnError() => Prop.ForAll<int, byte[]>((at, noise) =>
    {
        var body = BackupRequestJson.Write(Request);
        var begin = (int)(Math.Abs((long)at) % body.Length);
        noise.AsSpan(0, Math.Min(noise.Length, body.Length - begin)).CopyTo(body.AsSpan(begin));
        try
        {
            return BackupRequestJson.Read(body).Version == 1;
        }
        catch (RbdBackupException e)
        {
            return e.Kind is ErrorKind.Corrupt or ErrorKind.Unsupported;
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Fact]
    public void KeysTellWishesApart()
    {
        var image = ImageSpec.Parse("vms/a");
        var keys = new[]
        {
            DedupKey.Of(image, "snapshot", "1"), DedupKey.Of(image, "snapshot", "2"), DedupKey.Of(image, "snapshots", "1"),
            DedupKey.Of(image, "snapshot1", ""), DedupKey.Of(ImageSpec.Parse("vms/b"), "snapshot", "1"),
        };
        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(keys[0], DedupKey.Of(ImageSpec.Parse("vms/a"), "snapshot", "1"));
    }

    private static void Broken(string text)
    {
        var e = Assert.Throws<RbdBackupException>(() => BackupRequestJson.Read(Encoding.UTF8.GetBytes(text)));
        Assert.Equal(ErrorKind.Corrupt, e.Kind);
        Assert.StartsWith("Not a backup request: ", e.Message, StringComparison.Ordinal);
    }
}
