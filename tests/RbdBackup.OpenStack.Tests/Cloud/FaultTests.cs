using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using static RbdBackup.OpenStack.Tests.Cloud.CloudPlace;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>What a network or a load balancer before a real Cinder does to us; what may be repeated is, and nothing else.</summary>
[Trait("Needs", "OpenStack")]
public sealed class FaultTests : IAsyncLifetime
{
    private readonly string _name = $"clients-{Guid.NewGuid():N}";
    private readonly Notes _notes = new();
    private RegionBehind _region = null!;
    private OpenStackCloud _cloud = null!;
    private int _cuts;

    public async Task InitializeAsync()
    {
        _region = await RegionBehind.MakeAsync("block-storage", Setting("RBDBACKUP_TEST_CINDER_URL"), "/v3/%(project_id)s");
        _cloud = Open(Tenant(region: _region.Name), _region.Front.CaFile, logger: _notes);
        // The version is asked for before anything fails.
        await _cloud.BlockStorage.ListVolumesAsync(new(), None).AnyAsync();
    }

    public async Task DisposeAsync()
    {
        using var direct = Open(Tenant());
        foreach (var volume in await MineAsync(direct))
        {
            await UntilAsync("the volume is made", async () => (await direct.BlockStorage.GetVolumeAsync(volume.Id, None)).Status == "available");
            await direct.BlockStorage.DeleteVolumeAsync(volume.Id, None);
        }
        await UntilAsync("the volumes are gone", async () => (await MineAsync(direct)).Count == 0);
        _cloud.Dispose();
        await _region.DisposeAsync();
    }

    [Fact]
    public async Task What_only_asks_outlives_cut_connections()
    {
        Cut(2);
        Assert.Empty(await MineAsync(_cloud));
        Assert.True(_cuts < 0);
        Assert.All(_notes.Lines, line => Assert.DoesNotContain("gAAAA", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_only_asks_is_given_up_in_the_end_with_what_failed()
    {
        Cut(100);
        var e = await FailsAsync(ErrorKind.Unavailable, () => MineAsync(_cloud));
        Assert.Equal(3, _notes.Lines.Count);
        Assert.Contains("Cinder at https://localhost", e.Message, StringComparison.Ordinal);
        Assert.Contains("listing volumes", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("not known", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("gAAAA", e.ToString(), StringComparison.Ordinal);
        Cut(0);
    }

    [Fact]
    public async Task What_makes_something_is_not_repeated_where_it_may_have_been_done()
    {
        Cut(1);
        var e = await FailsAsync(ErrorKind.Unavailable, () => _cloud.BlockStorage.CreateVolumeAsync(new NewVolume(_name, 1), None));
        Assert.Contains("whether it was done is not known", e.Message, StringComparison.Ordinal);
        Assert.Empty(_notes.Lines);
        // It was.
        Assert.Single(await MineAsync(_cloud));
    }

    [Theory]
    [InlineData("429 Too Many Requests")]
    [InlineData("503 Service Unavailable")]
    public async Task What_makes_something_is_repeated_where_the_service_says_to_come_again(string status)
    {
        Answer($"HTTP/1.1 {status}\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        var started = DateTime.UtcNow;
        var volume = await _cloud.BlockStorage.CreateVolumeAsync(new NewVolume(_name, 1), None);
        Assert.True(DateTime.UtcNow - started >= TimeSpan.FromSeconds(2));
        Assert.Equal(volume.Id, Assert.Single(await MineAsync(_cloud)).Id);
        Assert.Single(_notes.Lines);
    }

    [Theory]
    [InlineData("503 Service Unavailable")]
    [InlineData("502 Bad Gateway")]
    [InlineData("500 Internal Server Error")]
    public async Task What_makes_something_is_not_repeated_where_the_service_does_not_say_so(string status)
    {
        Answer($"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        var e = await FailsAsync(ErrorKind.Unavailable, () => _cloud.BlockStorage.CreateVolumeAsync(new NewVolume(_name, 1), None));
        Assert.Contains(status[..3], e.Message, StringComparison.Ordinal);
        Assert.Empty(_notes.Lines);
        Assert.Empty(await MineAsync(_cloud));
    }

    [Fact]
    public async Task A_token_that_the_service_refuses_is_replaced_and_even_what_makes_something_goes_on()
    {
        Answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        var volume = await _cloud.BlockStorage.CreateVolumeAsync(new NewVolume(_name, 1), None);
        Assert.Equal(volume.Id, Assert.Single(await MineAsync(_cloud)).Id);
    }

    [Fact]
    public async Task What_is_not_Cinders_answer_is_told_without_being_shown()
    {
        const string Page = "<html>secret-of-the-portal</html>";
        // The connection from before ends; the next one has the page.
        Cut(1);
        Answer($"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {Page.Length}\r\nConnection: close\r\n\r\n{Page}");
        var e = await FailsAsync(ErrorKind.Unexpected, () => MineAsync(_cloud));
        Assert.Contains("proxy", e.Remedy, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-of-the-portal", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_listing_outlives_a_page_that_comes_again()
    {
        // As Nova's do where a server goes from those that are asked for to those that are there between two pages.
        Cut(1);
        foreach (var page in new[] { VolumeA, VolumeA, VolumeA, "" })
        {
            Answer(Listing(page));
        }

        Assert.Equal("a", Assert.Single(await MineAsync(_cloud)).Id);
    }

    [Fact]
    public async Task A_listing_that_does_not_go_on_is_ended_with_an_error()
    {
        Cut(1);
        for (var i = 0; i < 20; i++)
        {
            Answer(Listing(VolumeA));
        }

        var e = await FailsAsync(ErrorKind.Unexpected, () => MineAsync(_cloud));
        Assert.Contains("listing volumes does not go on behind 'a'", e.Message, StringComparison.Ordinal);
        _region.Front.Answers.Clear();
    }

    private const string VolumeA = """{"id":"a","status":"available","size":1,"metadata":{}}""";

    private static string Listing(string volumes)
    {
        var body = $$"""{"volumes":[{{volumes}}]}""";
        return $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}";
    }

    private ValueTask<List<Volume>> ListAsync(OpenStackCloud cloud) => cloud.BlockStorage.ListVolumesAsync(new() { Name = _name }, None).ToListAsync();

    private Task<List<Volume>> MineAsync(OpenStackCloud cloud) => ListAsync(cloud).AsTask();

    /// <summary>Cuts connections, as many as said, when the service has answered.</summary>
    private void Cut(int times)
    {
        _cuts = times;
        _region.Front.ToClient = _ => Interlocked.Decrement(ref _cuts) < 0;
    }

    /// <summary>Lets the next connection have this answer.</summary>
    private void Answer(string answer) => _region.Front.Answers.Enqueue(answer);
}
