using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

public sealed class S3StoreTests : StoreContract
{
    private static readonly ParallelOptions Many = new() { MaxDegreeOfParallelism = 32 };

    private readonly string _prefix = $"stores-test/{Guid.NewGuid():N}";

    private static CancellationToken None => CancellationToken.None;

    protected override bool KeysMayNest => true;

    protected override Task<IObjectStore> OpenEmptyAsync() => Task.FromResult(S3Place.Open(S3Place.Options(), _prefix));

    public override async Task DisposeAsync()
    {
        await Parallel.ForEachAsync(Store.ListAsync("", None), Many, async (left, cancel) => await Store.DeleteAsync(left.Key, cancel));
        await Store.DisposeAsync();
    }

    [Fact]
    public async Task A_listing_goes_on_behind_the_first_page()
    {
        var keys = Enumerable.Range(0, 1003).Select(i => $"k/{i:0000}").ToList();
        await Parallel.ForEachAsync(keys, Many, async (key, cancel) => await Store.PutAsync(key, new([1]), cancel));
        Assert.Equal(keys, await KeysAsync("k/"));
    }

    [Fact]
    public async Task A_small_answer_does_not_wait_for_the_kernels_delayed_acknowledgement()
    {
        await Store.PutAsync("k/small", new(Bytes(1000)), None);
        // radosgw sends head and body apart. A connection's first packets are acknowledged at once in any case; of the later requests the quicker ones tell, since
        // others wait for whatever else the machine does.
        foreach (var act in (Func<Task>[])[() => Store.GetAsync("k/small", 1000, None), () => Store.ListAsync("k/", None).ToListAsync(None).AsTask()])
        {
            var times = new List<double>();
            for (var n = 0; n < 60; n++)
            {
                var watch = Stopwatch.StartNew();
                await act();
                times.Add(watch.Elapsed.TotalMilliseconds);
            }

            Assert.InRange(times.Skip(30).Order().ElementAt(8), 0, 35);
        }
    }

    [Fact]
    public async Task A_prefix_keeps_two_repositories_apart()
    {
        await Store.PutAsync("k", new(Bytes(1)), None);
        await using var neighbour = S3Place.Open(S3Place.Options(), _prefix[..^1]);
        Assert.Empty(await neighbour.ListAsync("", None).ToListAsync());
        await using var parent = S3Place.Open(S3Place.Options(), Path.GetDirectoryName(_prefix)!);
        Assert.NotNull(await parent.StatAsync($"{Path.GetFileName(_prefix)}/k", None));
    }

    [Fact]
    public async Task A_missing_bucket_is_named_with_its_endpoint()
    {
        await using var store = S3Place.Open(S3Place.Options(), bucket: "no-such-bucket-here");
        foreach (var act in new Func<Task>[]
        {
            () => store.CheckAsync(None), () => store.PutAsync("k", new(Bytes(1)), None), () => store.GetAsync("k", 1, None),
            () => store.PutAsync("k", new(Bytes(1025)), None), () => store.GetAsync("k", 1, None),
            () => store.PutAsync("k", new(Bytes(5_000_000)), None), () => store.GetAsync("k", 1, None),
            () => store.ListAsync("", None).ToListAsync().AsTask(),
        })
        {
            var e = await FailsAsync(ErrorKind.NotFound, act);
            Assert.Contains("no-such-bucket-here", e.Message, StringComparison.Ordinal);
            Assert.Contains(S3Place.Endpoint, e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_wrong_secret_is_refused_without_being_shown()
    {
        await using var store = S3Place.Open(S3Place.Options(secret: "a-wrong-secret"), _prefix);
        foreach (var act in new Func<Task>[]
        {
            () => store.CheckAsync(None), () => store.PutAsync("k", new(Bytes(1)), None), () => store.GetAsync("k", 1, None),
            () => store.PutAsync("k", new(Bytes(5_000_000)), None), () => store.StatAsync("k", None),
        })
        {
            var e = await FailsAsync(ErrorKind.Permission, act);
            Assert.DoesNotContain("a-wrong-secret", e.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_unknown_access_key_is_refused()
    {
        var options = new S3Options { Endpoint = S3Place.Endpoint, AccessKey = "NOBODY", SecretKey = "nothing" };
        await using var store = S3Place.Open(options, _prefix);
        await FailsAsync(ErrorKind.Permission, () => store.CheckAsync(None));
    }

    [Fact]
    public async Task Keys_are_taken_from_the_environment_where_none_are_given()
    {
        await using var store = S3Place.Open(new S3Options { Endpoint = S3Place.Endpoint }, _prefix);
        await store.CheckAsync(None);
    }

    [Fact]
    public async Task An_endpoint_that_is_down_is_unavailable_after_the_retries()
    {
        using var reserved = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        reserved.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var endpoint = $"http://{reserved.LocalEndPoint}";
        await using var store = S3Place.Open(S3Place.Options(endpoint), _prefix);
        var e = await FailsAsync(ErrorKind.Unavailable, () => store.CheckAsync(None));
        Assert.Contains(endpoint, e.Message, StringComparison.Ordinal);
        Assert.True(e.IsTransient);
    }

    [Fact]
    public async Task An_endpoint_that_never_answers_is_unavailable_after_the_deadline()
    {
        using var deaf = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        deaf.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        deaf.Listen();
        var options = new S3Options
        {
            Endpoint = $"http://{deaf.LocalEndPoint}",
            AccessKey = "a",
            SecretKey = "b",
            Retries = 1,
            RequestTimeout = TimeSpan.FromMilliseconds(200),
        };
        await using var store = S3Place.Open(options, _prefix);
        await FailsAsync(ErrorKind.Unavailable, () => store.CheckAsync(None));
    }

    [Fact]
    public async Task An_authority_of_our_own_is_trusted_where_it_is_given_and_only_there()
    {
        await using var front = new TlsFront(S3Place.Endpoint);
        await using var trusting = S3Place.Open(S3Place.Options(front.Endpoint, caFile: front.CaFile), _prefix);
        await trusting.PutAsync("tls", new(Bytes(300_000)), None);
        Assert.Equal(Bytes(300_000), await trusting.GetAsync("tls", 300_000, None));
        await trusting.CheckAsync(None);
        Assert.Equal(1, front.Connections);

        await using var distrusting = S3Place.Open(S3Place.Options(front.Endpoint), _prefix);
        var e = await FailsAsync(ErrorKind.Unavailable, () => distrusting.GetAsync("tls", 300_000, None));
        Assert.Contains("CA file", e.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(int.MaxValue, false)]
    public async Task The_service_refuses_an_upload_that_was_damaged_on_the_way(int times, bool succeeds)
    {
        await using var front = new TlsFront(S3Place.Endpoint) { ToService = part => Damage(part.Span, ref times) };
        await using var store = S3Place.Open(S3Place.Options(front.Endpoint, caFile: front.CaFile), _prefix);
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
        await using var front = new TlsFront(S3Place.Endpoint) { ToClient = _ => ++parts != 3 };
        await using var store = S3Place.Open(S3Place.Options(front.Endpoint, caFile: front.CaFile), _prefix);
        var content = new byte[3_000_000];
        await store.GetRangeAsync("cut", 0, content, None);
        Assert.Equal(Bytes(3_000_000), content);
    }

    [Fact]
    public async Task An_upload_asks_for_the_storage_class_that_is_for_it()
    {
        var heads = new ConcurrentQueue<string>();
        await using var front = new TlsFront(S3Place.Endpoint) { ToService = part => Note(part.Span, "PUT "u8, heads) };
        var options = Behind(front, storageClass: "STANDARD", encryption: null);
        await using var store = S3Place.Open(options, _prefix);
        await store.PutAsync("segment", new(Bytes(5000)), None);
        await store.PutAsync("small", new(Bytes(5000)), None);
        Assert.Contains(heads, head => head.Contains("/segment ", StringComparison.Ordinal) && head.Contains("x-amz-storage-class: STANDARD\r\n", StringComparison.OrdinalIgnoreCase));
        Assert.Contains(heads, head => head.Contains("/small ", StringComparison.Ordinal));
        Assert.DoesNotContain(heads, head => head.Contains("/small ", StringComparison.Ordinal) && head.Contains("x-amz-storage-class", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task What_an_upload_asks_for_and_the_service_does_not_have_is_named()
    {
        await using var front = new TlsFront(S3Place.Endpoint);
        foreach (var (options, kind, named) in new[]
        {
            (Behind(front, storageClass: "NO_SUCH_CLASS", encryption: null), ErrorKind.Usage, "storage class NO_SUCH_CLASS"),
            (Behind(front, storageClass: null, "aws:kms", "no-such-key"), ErrorKind.Permission, "no-such-key"),
        })
        {
            await using var store = S3Place.Open(options, _prefix);
            var e = await FailsAsync(kind, () => store.PutAsync("segment", new(Bytes(5000)), None));
            Assert.Contains(named, e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("AES256", null)]
    [InlineData("aws:kms", "mini-key")]
    public async Task An_upload_asks_for_encryption_and_can_be_read_again(string method, string? key)
    {
        var (heads, answers) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
        await using var front = new TlsFront(S3Place.Endpoint)
        {
            ToService = part => Note(part.Span, "PUT "u8, heads),
            ToClient = part => Note(part.Span, "HTTP/1.1 200 "u8, answers),
        };
        await using var store = S3Place.Open(Behind(front, storageClass: null, method, key), _prefix);
        await store.PutAsync("sealed", new(Bytes(300_000)), None);
        Assert.Contains(heads, head => head.Contains($"x-amz-server-side-encryption: {method}\r\n", StringComparison.OrdinalIgnoreCase));
        Assert.Equal(key is not null, heads.Any(head => head.Contains($"x-amz-server-side-encryption-aws-kms-key-id: {key}\r\n", StringComparison.OrdinalIgnoreCase)));
        Assert.Equal(key is not null, answers.Any(answer => answer.Contains("x-amz-server-side-encryption: aws:kms\r\n", StringComparison.OrdinalIgnoreCase)));
        Assert.Equal(Bytes(300_000), await Store.GetAsync("sealed", 300_000, None));
        Assert.Equal(300_000, (await store.StatAsync("sealed", None))!.Length);
        var part = new byte[1000];
        await store.GetRangeAsync("sealed", 123_456, part, None);
        Assert.Equal(Bytes(300_000)[123_456..124_456], part);
    }

    private static S3Options Behind(TlsFront front, string? storageClass, string? encryption, string? key = null)
    {
        var plain = S3Place.Options(front.Endpoint, caFile: front.CaFile);
        return new S3Options
        {
            Endpoint = plain.Endpoint,
            CaFile = plain.CaFile,
            AccessKey = plain.AccessKey,
            SecretKey = plain.SecretKey,
            Retries = 0,
            StorageClass = storageClass,
            HasStorageClass = name => name == "segment",
            Encryption = encryption,
            EncryptionKeyId = key,
        };
    }

    private static bool Note(Span<byte> part, ReadOnlySpan<byte> start, ConcurrentQueue<string> heads)
    {
        if (part.StartsWith(start))
        {
            heads.Enqueue(Encoding.Latin1.GetString(part));
        }
        return true;
    }

    private static bool Damage(Span<byte> part, ref int times)
    {
        var at = part.IndexOf("AAAAAAAAAAAAAAAA"u8);
        if (at >= 0 && times-- > 0)
        {
            part[at] ^= 1;
        }
        return true;
    }
}
