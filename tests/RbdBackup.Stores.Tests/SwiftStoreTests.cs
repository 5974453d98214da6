using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>Swift by its own authentication.</summary>
public sealed class SwiftStoreTests : SwiftContract
{
    protected override IObjectStore OpenStore(string prefix, string? container = null, string? secret = null) =>
        SwiftPlace.Open(SwiftPlace.Own(key: secret), prefix, container);

    [Fact]
    public async Task A_listing_goes_on_behind_the_first_page()
    {
        var keys = Enumerable.Range(0, 203).Select(i => $"k/{i:0000}").ToList();
        await Parallel.ForEachAsync(keys, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (key, cancel) => await Store.PutAsync(key, new([1]), cancel));
        Assert.Equal(keys, await KeysAsync("k/"));
    }

    [Fact]
    public async Task An_upload_that_a_newer_object_outran_is_tried_again_until_it_is_stored()
    {
        await PutWithClockAheadAsync("outrun", TimeSpan.FromSeconds(1.5));
        await using var store = SwiftPlace.Open(Patient(retries: 12), Prefix);
        await store.PutAsync("outrun", new(Bytes(5000)), None);
        Assert.Equal(Bytes(5000), await Store.GetAsync("outrun", 5000, None));
    }

    [Fact]
    public async Task An_upload_that_a_newer_object_always_outruns_is_a_failure()
    {
        var clock = await PutWithClockAheadAsync("outrun", TimeSpan.FromSeconds(30));
        var e = await FailsAsync(ErrorKind.Unavailable, () => Store.PutAsync("outrun", new(Bytes(5000)), None));
        Assert.Contains("202", e.Message, StringComparison.Ordinal);
        Assert.Contains("clocks", e.Remedy, StringComparison.Ordinal);
        Assert.Equal([1], await Store.GetAsync("outrun", 5000, None));
        await RemoveWithClockAheadAsync("outrun", clock);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(int.MaxValue, false)]
    public async Task What_does_not_read_back_as_it_was_sent_is_stored_again(int times, bool succeeds)
    {
        var content = Bytes(5000);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        hash.AppendData(content);
        var md5 = Encoding.ASCII.GetBytes(Convert.ToHexStringLower(hash.GetHashAndReset()));
        // An upload's own answer is a 201.
        await using var front = new TlsFront(SwiftPlace.AuthUrl) { ToClient = part => !part.Span.StartsWith("HTTP/1.1 200 "u8) || Damage(part.Span, md5, ref times) };
        await using var store = await OpenBehindAsync(front);
        if (succeeds)
        {
            await store.PutAsync("back", new(content), None);
            Assert.Equal(content, await Store.GetAsync("back", 5000, None));
        }
        else
        {
            var e = await FailsAsync(ErrorKind.Corrupt, () => store.PutAsync("back", new(content), None));
            Assert.Contains("read back", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(int.MaxValue, false)]
    public async Task The_service_refuses_an_upload_that_was_damaged_on_the_way(int times, bool succeeds)
    {
        await using var front = new TlsFront(SwiftPlace.AuthUrl) { ToService = part => Damage(part.Span, "AAAAAAAAAAAAAAAA"u8, ref times) };
        await using var store = await OpenBehindAsync(front);
        var content = Enumerable.Repeat((byte)'A', 50_000).ToArray();
        if (succeeds)
        {
            await store.PutAsync("damaged", new(content), None);
            Assert.Equal(content, await Store.GetAsync("damaged", 50_000, None));
        }
        else
        {
            await FailsAsync(ErrorKind.Corrupt, () => store.PutAsync("damaged", new(content), None));
            Assert.Null(await Store.StatAsync("damaged", None));
        }
    }

    [Fact]
    public async Task A_connection_that_is_cut_in_an_answer_is_asked_again()
    {
        await Store.PutAsync("cut", new(Bytes(3_000_000)), None);
        var parts = 0;
        await using var front = new TlsFront(SwiftPlace.AuthUrl) { ToClient = _ => ++parts != 4 };
        await using var store = await OpenBehindAsync(front);
        var content = new byte[3_000_000];
        await store.GetRangeAsync("cut", 0, content, None);
        Assert.Equal(Bytes(3_000_000), content);
    }

    [Theory]
    [InlineData("429 Too Many Requests")]
    [InlineData("503 Service Unavailable")]
    public async Task A_service_that_asks_to_wait_is_asked_again_after_that(string status)
    {
        await Store.PutAsync("later", new(Bytes(10)), None);
        await using var front = new TlsFront(SwiftPlace.AuthUrl);
        await using var store = await OpenBehindAsync(front);
        front.Answers.Enqueue($"HTTP/1.1 {status}\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        var begun = TimeProvider.System.GetTimestamp();
        Assert.Equal(Bytes(10), await store.GetAsync("later", 10, None));
        Assert.InRange(TimeProvider.System.GetElapsedTime(begun), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_login_that_fails_for_a_moment_is_tried_again()
    {
        await using var front = new TlsFront(SwiftPlace.AuthUrl);
        front.Answers.Enqueue("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        await using var store = await OpenBehindAsync(front);
        await store.CheckAsync(None);
        Assert.Equal(2, front.Connections);
    }

    [Fact]
    public async Task A_quota_that_is_used_up_is_no_space()
    {
        using var client = await SwiftPlace.LogInAsync();
        var container = $"quota-{Guid.NewGuid():N}";
        using var make = new HttpRequestMessage(HttpMethod.Put, container) { Headers = { { "X-Container-Meta-Quota-Bytes", "10000" } } };
        (await client.SendAsync(make)).EnsureSuccessStatusCode();
        await using var store = OpenStore("", container);
        await store.PutAsync("fits", new(Bytes(5000)), None);
        foreach (var length in new[] { 10_001, 5_000_000 })
        {
            var e = await FailsAsync(ErrorKind.NoSpace, () => store.PutAsync("too-much", new(Bytes(length)), None));
            Assert.Contains(container, e.Message, StringComparison.Ordinal);
        }
        await store.DeleteAsync("fits", None);
        (await client.DeleteAsync(container)).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task An_account_that_is_not_ours_is_refused()
    {
        using var client = await SwiftPlace.LogInAsync();
        await using var store = SwiftPlace.Open(SwiftPlace.Own(accountUrl: $"{client.BaseAddress!.ToString().TrimEnd('/')}-not"));
        foreach (var act in new Func<Task>[]
        {
            () => store.CheckAsync(None), () => store.PutAsync("k", new(Bytes(1)), None), () => store.PutAsync("k", new(Bytes(5_000_000)), None),
            () => store.GetAsync("k", 1, None), () => store.StatAsync("k", None), () => store.DeleteAsync("k", None),
        })
        {
            await FailsAsync(ErrorKind.Permission, act);
        }
    }

    [Fact]
    public async Task A_place_that_is_no_login_is_said_to_be_none()
    {
        foreach (var url in new[] { new Uri(new(SwiftPlace.AuthUrl), "/healthcheck"), new Uri(new(SwiftPlace.AuthUrl), "/nothing/here/at/all") })
        {
            await using var store = SwiftPlace.Open(SwiftPlace.Own(authUrl: url.ToString()));
            var e = await Assert.ThrowsAsync<RbdBackupException>(() => store.CheckAsync(None));
            Assert.Contains(url.ToString(), e.Message, StringComparison.Ordinal);
            Assert.True(e.Kind is ErrorKind.NotFound or ErrorKind.Permission, e.ToString());
        }
    }

    [Fact]
    public async Task A_service_that_is_down_is_unavailable_after_the_retries()
    {
        using var reserved = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        reserved.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        foreach (var options in new[]
        {
            SwiftPlace.Own(authUrl: $"http://{reserved.LocalEndPoint}/auth/v1.0"), SwiftPlace.Own(accountUrl: $"http://{reserved.LocalEndPoint}/v1/AUTH_mini"),
        })
        {
            await using var store = SwiftPlace.Open(options);
            var e = await FailsAsync(ErrorKind.Unavailable, () => store.CheckAsync(None));
            Assert.Contains(reserved.LocalEndPoint!.ToString()!, e.Message, StringComparison.Ordinal);
            Assert.True(e.IsTransient);
        }
    }

    [Fact]
    public async Task A_service_that_never_answers_is_unavailable_after_the_deadline()
    {
        using var deaf = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        deaf.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        deaf.Listen();
        var options = new SwiftOptions
        {
            AuthUrl = $"http://{deaf.LocalEndPoint}/auth/v1.0",
            User = "a:b",
            Key = "c",
            Retries = 1,
            RequestTimeout = TimeSpan.FromMilliseconds(200),
        };
        await using var store = SwiftPlace.Open(options);
        await FailsAsync(ErrorKind.Unavailable, () => store.CheckAsync(None));
    }

    [Fact]
    public async Task An_authority_of_our_own_is_trusted_where_it_is_given_and_only_there()
    {
        await using var front = new TlsFront(SwiftPlace.AuthUrl);
        await using var trusting = await OpenBehindAsync(front);
        await trusting.PutAsync("tls", new(Bytes(300_000)), None);
        Assert.Equal(Bytes(300_000), await trusting.GetAsync("tls", 300_000, None));
        Assert.Equal(1, front.Connections);

        await using var distrusting = SwiftPlace.Open(SwiftPlace.Own(authUrl: $"{front.Endpoint}/auth/v1.0"), Prefix);
        var e = await FailsAsync(ErrorKind.Unavailable, () => distrusting.GetAsync("tls", 300_000, None));
        Assert.Contains("CA file", e.Remedy, StringComparison.Ordinal);
    }

    private static SwiftOptions Patient(int retries) => new()
    {
        AuthUrl = SwiftPlace.AuthUrl,
        User = SwiftPlace.User,
        Key = SwiftPlace.Key,
        Retries = retries,
        RetryDelay = TimeSpan.FromMilliseconds(100),
    };

    private async Task<IObjectStore> OpenBehindAsync(TlsFront front)
    {
        using var client = await SwiftPlace.LogInAsync();
        var options = SwiftPlace.Own($"{front.Endpoint}{client.BaseAddress!.AbsolutePath}", authUrl: $"{front.Endpoint}/auth/v1.0", caFile: front.CaFile);
        return SwiftPlace.Open(options, Prefix);
    }

    /// <summary>Stores one byte as a proxy does whose clock is ahead: whatever is sent before that time comes is older.</summary>
    private async Task<DateTimeOffset> PutWithClockAheadAsync(string key, TimeSpan ahead)
    {
        var clock = DateTimeOffset.UtcNow + ahead;
        using var content = new ByteArrayContent([1]);
        await SendWithClockAsync(HttpMethod.Put, key, clock, content);
        return clock;
    }

    private Task RemoveWithClockAheadAsync(string key, DateTimeOffset clock) => SendWithClockAsync(HttpMethod.Delete, key, clock.AddSeconds(1), null);

    private async Task SendWithClockAsync(HttpMethod method, string key, DateTimeOffset clock, HttpContent? content)
    {
        using var client = await SwiftPlace.LogInAsync();
        var timestamp = (clock.ToUnixTimeMilliseconds() / 1000.0).ToString("0000000000.00000", CultureInfo.InvariantCulture);
        using var request = new HttpRequestMessage(method, $"{SwiftPlace.Container}/{Prefix}/{key}") { Headers = { { "X-Timestamp", timestamp } }, Content = content };
        (await client.SendAsync(request)).EnsureSuccessStatusCode();
    }

    /// <summary>Changes a byte of the pattern where it goes by, as often as told.</summary>
    private static bool Damage(Span<byte> part, ReadOnlySpan<byte> pattern, ref int times)
    {
        var at = part.IndexOf(pattern);
        if (at >= 0 && times-- > 0)
        {
            part[at] ^= 1;
        }
        return true;
    }
}
