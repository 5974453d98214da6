using System.Text;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using RbdBackup.Core.Model;

namespace RbdBackup.OpenStack.Tests;

public class NotificationParserTests
{
    private const string Real = "nova-versioned-instance.update";

    [Theory]
    [InlineData("", "JSON is broken")]
    [InlineData("\0\u0001garbage", "JSON is broken")]
    [InlineData("null", "no JSON object")]
    [InlineData("[]", "no JSON object")]
    [InlineData("{}", "no oslo.version")]
    [InlineData("""{"oslo.version": 2.0}""", "no oslo.version")]
    [InlineData("""{"oslo.version": "1.0", "oslo.message": "{}"}""", "not of version 2")]
    [InlineData("""{"oslo.version": "20.0", "oslo.message": "{}"}""", "not of version 2")]
    [InlineData("""{"oslo.version": "2.0\n", "oslo.message": "{}"}""", "not of version 2")]
    [InlineData("""{"oslo.version": "2.0"}""", "no oslo.message")]
    [InlineData("""{"oslo.version": "2.0", "oslo.message": {}}""", "no oslo.message")]
    [InlineData("""{"oslo.version": "2.0", "oslo.message": "{"}""", "JSON is broken")]
    [InlineData("""{"oslo.version": "2.0", "oslo.message": "7"}""", "oslo.message is no JSON object")]
    [InlineData("""{"oslo.version": "2.0", "oslo.message": "\ud800"}""", "not Unicode")]
    [InlineData("""{"oslo.version": "2.0", "oslo.version": "2.0", "oslo.message": "{}"}""", "repeats a key")]
    [InlineData("""{"oslo.version": "2.0", "oslo.message": "{}"} {}""", "JSON is broken")]
    public void SaysWhyItIsNoNotification(string body, string reason)
    {
        var e = Assert.Throws<NotificationException>(() => NotificationParser.Parse(Encoding.UTF8.GetBytes(body), "application/json"));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorKind.Corrupt, e.Kind);
    }

    [Theory]
    [InlineData("event_type", null, "no event_type")]
    [InlineData("event_type", "", "no event_type")]
    [InlineData("event_type", "instance.\nupdate", "control characters")]
    [InlineData("publisher_id", null, "no publisher_id")]
    [InlineData("message_id", null, "no message_id")]
    [InlineData("timestamp", null, "timestamp is missing")]
    [InlineData("timestamp", "yesterday", "in no spelling")]
    [InlineData("timestamp", "2026-13-45 00:00:00", "in no spelling")]
    [InlineData("payload", "text", "payload is no JSON object")]
    public void SaysWhatIsMissingOrWrong(string member, string? value, string reason)
    {
        var body = Message.Changed(Real, m => m[member] = value);
        Assert.Contains(reason, Assert.Throws<NotificationException>(() => NotificationParser.Parse(body, null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RefusesAnObjectOfAMajorVersionThatNobodyKnows()
    {
        var body = Message.Changed(Real, m => m["payload"]!["nova_object.version"] = "9.0");
        Assert.Contains("major version", Assert.Throws<NotificationException>(() => NotificationParser.Parse(body, null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RefusesWhatIsTooBigOrTooDeepOrOfAnotherType()
    {
        Refused(new byte[NotificationParser.MaxBytes + 1], null, "more than");
        Refused(Message.Envelope(new string('[', 5000) + new string(']', 5000)), null, "nested deeper");
        Refused(Encoding.UTF8.GetBytes(new string('[', 5000)), null, "nested deeper");
        Refused(Capture.Named(Real).Body, "application/octet-stream", "content type");
        Refused(Encoding.Unicode.GetBytes(Encoding.UTF8.GetString(Capture.Named(Real).Body)), null, "JSON is broken");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("application/json")]
    [InlineData("Application/JSON; charset=utf-8")]
    public void TakesItsContentTypeInAnySpelling(string? type) => Assert.Equal("instance.update", NotificationParser.Parse(Capture.Named(Real).Body, type).EventType);

    [Fact]
    public void QuotesNothingOfWhatItCouldNotRead()
    {
        var body = Message.Envelope("""{"_context_auth_token": "SECRET", "_context_auth_token": "SECRET2" """);
        var text = Assert.Throws<NotificationException>(() => NotificationParser.Parse(body, null)).ToString();
        Assert.DoesNotContain("SECRET", text, StringComparison.Ordinal);
        Assert.DoesNotContain("auth_token", text, StringComparison.Ordinal);
    }

    [Fact]
    public void AnythingDamagedIsANotificationOrAnError()
    {
        var captures = Capture.All;
        Prop.ForAll<int, int, byte[]>((which, at, noise) =>
        {
            var body = (byte[])captures[(int)(Math.Abs((long)which) % captures.Count)].Body.Clone();
            var begin = (int)(Math.Abs((long)at) % body.Length);
            noise.AsSpan(0, Math.Min(noise.Length, body.Length - begin)).CopyTo(body.AsSpan(begin));
            return MeansSomethingOrIsRefused(body) && MeansSomethingOrIsRefused(body.AsMemory(0, begin));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Fact]
    public void AnythingDamagedInsideTheEnvelopeIsANotificationOrAnError()
    {
        var captures = Capture.All;
        Prop.ForAll<int, int, string>((which, at, noise) =>
        {
            var message = (string)JsonNode.Parse(captures[(int)(Math.Abs((long)which) % captures.Count)].Body)!["oslo.message"]!;
            var begin = (int)(Math.Abs((long)at) % message.Length);
            return MeansSomethingOrIsRefused(Message.Envelope(message.Remove(begin, Math.Min(3, message.Length - begin)).Insert(begin, noise ?? "")));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    private static bool MeansSomethingOrIsRefused(ReadOnlyMemory<byte> body)
    {
        try
        {
            return NotificationMeaning.Of(NotificationParser.Parse(body, "application/json"), Capture.Options).Count == 1;
        }
        catch (NotificationException e)
        {
            return e.Reason.Length > 0;
        }
    }

    private static void Refused(byte[] body, string? type, string reason) =>
        Assert.Contains(reason, Assert.Throws<NotificationException>(() => NotificationParser.Parse(body, type)).Message, StringComparison.Ordinal);
}
