using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>Swift by Keystone.</summary>
public sealed partial class KeystoneSwiftStoreTests : SwiftContract
{
    protected override IObjectStore OpenStore(string prefix, string? container = null, string? secret = null) =>
        SwiftPlace.Open(SwiftPlace.Keystone(SwiftPlace.Password(password: secret)), prefix, container);

    [Fact]
    public async Task An_application_credential_opens_the_store_by_id_and_by_name()
    {
        foreach (var credential in new[] { SwiftPlace.ApplicationCredential(), SwiftPlace.ApplicationCredential(name: "rbdbackup") })
        {
            await using var store = SwiftPlace.Open(SwiftPlace.Keystone(credential), Prefix);
            await store.PutAsync("by-credential", new(Bytes(10)), None);
            Assert.Equal(Bytes(10), await Store.GetAsync("by-credential", 10, None));
        }
    }

    [Fact]
    public async Task A_wrong_application_credential_is_refused_without_being_shown()
    {
        await using var store = SwiftPlace.Open(SwiftPlace.Keystone(SwiftPlace.ApplicationCredential(secret: "a-wrong-secret")));
        var e = await FailsAsync(ErrorKind.Permission, () => store.CheckAsync(None));
        Assert.Contains("application credential", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("a-wrong-secret", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_project_that_is_not_ours_is_refused()
    {
        await using var store = SwiftPlace.Open(SwiftPlace.Keystone(SwiftPlace.Password(project: "admin")));
        var e = await FailsAsync(ErrorKind.Permission, () => store.CheckAsync(None));
        Assert.Contains("project 'admin'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_endpoint_is_of_the_region_and_of_the_first_interface_that_is_there()
    {
        foreach (var options in new[] { SwiftPlace.Password(interfaces: ["none", "internal", "public"]), SwiftPlace.Password(url: SwiftPlace.KeystoneUrl[..^"v3".Length]) })
        {
            await using var store = SwiftPlace.Open(SwiftPlace.Keystone(options));
            await store.CheckAsync(None);
        }
        // Nobody listens at the second region's endpoint.
        await using var other = SwiftPlace.Open(SwiftPlace.Keystone(SwiftPlace.Password(region: "RegionTwo")));
        await FailsAsync(ErrorKind.Unavailable, () => other.CheckAsync(None));
    }

    [Fact]
    public async Task A_catalogue_without_our_region_says_what_it_has()
    {
        await using var store = SwiftPlace.Open(SwiftPlace.Keystone(SwiftPlace.Password(region: "RegionNine")));
        var e = await FailsAsync(ErrorKind.NotFound, () => store.CheckAsync(None));
        Assert.Contains("RegionNine", e.Message, StringComparison.Ordinal);
        Assert.Contains("RegionOne public", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_Keystone_is_said_to_be_none()
    {
        await using var store = SwiftPlace.Open(SwiftPlace.Keystone(SwiftPlace.Password(url: $"{SwiftPlace.KeystoneUrl}/nothing")));
        await FailsAsync(ErrorKind.NotFound, () => store.CheckAsync(None));
    }

    [Fact]
    public async Task A_token_that_is_revoked_in_mid_job_is_replaced()
    {
        var (client, accountUrl) = await SwiftPlace.LogInToKeystoneAsync();
        using (client)
        {
            var tokens = new ConcurrentQueue<string>();
            await using var front = new TlsFront(accountUrl) { ToService = part => Note(part.Span, tokens) };
            await using var store = OpenBehind(front, accountUrl);
            await store.PutAsync("one", new(Bytes(1000)), None);
            foreach (var revoked in new Func<Task>[]
            {
                () => store.PutAsync("two", new(Bytes(5_000_000)), None),
                async () => Assert.Equal(Bytes(1000), await store.GetAsync("one", 1000, None)),
                async () => Assert.Equal(["one", "two"], (await store.ListAsync("", None).ToListAsync()).Select(found => found.Key)),
            })
            {
                await RevokeAsync(client, tokens.Last());
                // Many at once: one logs in for all.
                var before = tokens.Distinct().Count();
                await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => revoked()));
                Assert.Equal(before + 1, tokens.Distinct().Count());
            }
            Assert.Equal(Bytes(5_000_000), await Store.GetAsync("two", 5_000_000, None));
        }
    }

    [Fact]
    public async Task A_token_is_renewed_before_its_end()
    {
        var clock = new MovedClock();
        await using var front = new TlsFront(SwiftPlace.KeystoneUrl);
        var options = new SwiftOptions { Keystone = SwiftPlace.Password(url: $"{front.Endpoint}/v3"), CaFile = front.CaFile };
        await using var store = SwiftPlace.Open(options, clock: clock);
        // Keystone serves one login a connection; a token lives for an hour.
        foreach (var (minutes, logins) in new[] { (0, 1), (50, 1), (56, 2), (100, 2), (112, 3) })
        {
            clock.Moved = TimeSpan.FromMinutes(minutes);
            await store.CheckAsync(None);
            Assert.Equal(logins, front.Connections);
        }
    }

    private IObjectStore OpenBehind(TlsFront front, string accountUrl)
    {
        var options = new SwiftOptions
        {
            Keystone = SwiftPlace.Password(),
            AccountUrl = $"{front.Endpoint}{new Uri(accountUrl).AbsolutePath}",
            CaFile = front.CaFile,
            Retries = 0,
        };
        return SwiftPlace.Open(options, Prefix);
    }

    private static async Task RevokeAsync(HttpClient client, string token)
    {
        using var revoke = new HttpRequestMessage(HttpMethod.Delete, "auth/tokens") { Headers = { { "X-Subject-Token", token } } };
        Assert.Equal(HttpStatusCode.NoContent, (await client.SendAsync(revoke)).StatusCode);
    }

    private static bool Note(Span<byte> part, ConcurrentQueue<string> tokens)
    {
        if (TokenHeader().Match(Encoding.Latin1.GetString(part)) is { Success: true } found)
        {
            tokens.Enqueue(found.Groups[1].Value);
        }
        return true;
    }

    [GeneratedRegex("X-Auth-Token: (\\S+)")]
    private static partial Regex TokenHeader();

    private sealed class MovedClock : TimeProvider
    {
        public TimeSpan Moved { get; set; }

        public override long GetTimestamp() => base.GetTimestamp() + (long)(Moved.TotalSeconds * TimestampFrequency);
    }
}
