using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RbdBackup.Core.Model;
using RbdBackup.Http.Keystone;
using RbdBackup.Stores.Tests;
using static RbdBackup.OpenStack.Tests.Cloud.CloudPlace;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>Logins, tokens and the catalogue, at a real Keystone.</summary>
public sealed partial class KeystoneTests
{
    private const string TooMany = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    [Fact]
    public async Task A_password_opens_the_cloud_and_a_project_shows_its_tags()
    {
        using var cloud = Open(User());
        var project = await cloud.Identity.GetProjectAsync(await ProjectIdAsync(), None);
        Assert.Equal(Project, project.Name);
        Assert.True(project.Enabled);
        Assert.Empty(project.Tags);
    }

    [Fact]
    public async Task An_application_credential_opens_the_cloud_until_it_is_deleted()
    {
        var (admin, token) = await LogInAsync(User());
        using (admin)
        {
            var mine = $"users/{token["user"]!["id"]}/application_credentials";
            using var made = await admin.PostAsync(mine, Json(new { application_credential = new { name = $"test-{Guid.NewGuid():N}" } }));
            var credential = (await made.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonNode>())!["application_credential"]!;
            var options = new KeystoneOptions
            {
                AuthUrl = KeystoneUrl,
                ApplicationCredentialId = (string)credential["id"]!,
                ApplicationCredentialSecret = (string)credential["secret"]!,
            };
            using var cloud = Open(options);
            Assert.Equal(Project, (await cloud.Identity.GetProjectAsync(await ProjectIdAsync(), None)).Name);

            (await admin.DeleteAsync($"{mine}/{credential["id"]}")).EnsureSuccessStatusCode();
            using var later = Open(options);
            var e = await FailsAsync(ErrorKind.Permission, () => later.Identity.GetProjectAsync("x", None));
            Assert.Contains(options.ApplicationCredentialId, e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(options.ApplicationCredentialSecret, e.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_wrong_password_is_refused_with_what_to_do_and_without_being_shown()
    {
        var notes = new Notes();
        using var cloud = Open(User(password: "a-wrong-password"), logger: notes);
        var e = await FailsAsync(ErrorKind.Permission, () => cloud.Identity.GetProjectAsync("x", None));
        Assert.Contains($"user '{User().Username}'", e.Message, StringComparison.Ordinal);
        Assert.Contains("password", e.Remedy, StringComparison.Ordinal);
        Assert.DoesNotContain("a-wrong-password", e + string.Join('\n', notes.Lines), StringComparison.Ordinal);
        // Once: else an account would be locked.
        Assert.Empty(notes.Lines);
    }

    [Fact]
    public async Task What_is_no_Keystone_is_said_to_be_none()
    {
        using var cloud = Open(User(url: $"{KeystoneUrl}/nothing"));
        await FailsAsync(ErrorKind.NotFound, () => cloud.Identity.GetProjectAsync("x", None));
        using var nobody = Open(User(url: "http://127.0.0.1:1/v3"), retries: 1);
        var e = await FailsAsync(ErrorKind.Unavailable, () => nobody.Identity.GetProjectAsync("x", None));
        Assert.Contains("127.0.0.1:1", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"token":null}""", "There is no Keystone v3")]
    [InlineData("""{}""", "There is no Keystone v3")]
    [InlineData("""null""", "There is no Keystone v3")]
    [InlineData("""[]""", "There is no Keystone v3")]
    [InlineData("""<html>a portal</html>""", "There is no Keystone v3")]
    [InlineData("""{"token":{"issued_at":"2026-01-01T00:00:00Z","expires_at":"2036-01-01T00:00:00Z","catalog":[{"type":"identity"}]}}""", "There is no Keystone v3")]
    [InlineData("""{"token":{"issued_at":"2026-01-01T00:00:00Z","expires_at":"2036-01-01T00:00:00Z","catalog":[{"type":"identity","endpoints":[{"interface":"public","region_id":"a"}]}]}}""", "There is no Keystone v3")]
    [InlineData("""{"token":{"issued_at":"2026-01-01T00:00:00Z","expires_at":"2036-01-01T00:00:00Z","catalog":[null]}}""", "has no identity endpoint")]
    public async Task An_answer_that_is_not_Keystones_is_said_to_be_none(string body, string says)
    {
        await using var front = new TlsFront(KeystoneUrl);
        front.Answers.Enqueue($"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-Subject-Token: gAAAA\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}");
        using var cloud = Open(User(url: $"{front.Endpoint}/v3"), front.CaFile);
        var e = await FailsAsync(ErrorKind.NotFound, () => cloud.Identity.GetProjectAsync("x", None));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("gAAAA", e.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("keystone.example.org:5000")]
    [InlineData("https://user:a-secret@keystone.example.org/v3")]
    [InlineData("https://keystone.example.org/v2.0")]
    public void An_address_that_is_none_of_Keystone_v3_is_refused_at_once(string url)
    {
        var e = Assert.Throws<RbdBackupException>(() => Open(User(url: url)));
        Assert.Equal(ErrorKind.Usage, e.Kind);
        Assert.DoesNotContain("a-secret", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_catalogue_without_our_region_interface_or_service_says_what_it_has()
    {
        using var region = Open(User(region: "RegionNine"));
        var e = await FailsAsync(ErrorKind.NotFound, () => region.Identity.GetProjectAsync("x", None));
        Assert.Contains("identity endpoint in region 'RegionNine' with interface public; it has: RegionOne", e.Message, StringComparison.Ordinal);

        using var none = Open(User(interfaces: ["none"]));
        Assert.Contains("interface none", (await FailsAsync(ErrorKind.NotFound, () => none.Identity.GetProjectAsync("x", None))).Message, StringComparison.Ordinal);

        // Nobody made an endpoint of any other service in the second region.
        using var service = Open(User(region: "RegionTwo"));
        var missing = await FailsAsync(ErrorKind.NotFound, () => service.Compute.GetServerAsync("x", None));
        Assert.Contains("no compute endpoint in region 'RegionTwo'", missing.Message, StringComparison.Ordinal);
        Assert.Matches("it has: (none of that type; its services are .*identity.*object-store|RegionOne)", missing.Message);
    }

    [Fact]
    public async Task A_revoked_token_is_replaced_once_for_all_who_wait()
    {
        var id = await ProjectIdAsync();
        var tokens = new ConcurrentQueue<string>();
        await using var front = new TlsFront(KeystoneUrl) { ToClient = part => Note(part.Span, tokens) };
        using var cloud = Open(User(url: $"{front.Endpoint}/v3"), front.CaFile);
        await cloud.Identity.GetProjectAsync(id, None);
        var (admin, _) = await LogInAsync(User());
        using (admin)
        {
            using var revoke = new HttpRequestMessage(HttpMethod.Delete, "auth/tokens") { Headers = { { "X-Subject-Token", tokens.Single() } } };
            Assert.Equal(HttpStatusCode.NoContent, (await admin.SendAsync(revoke)).StatusCode);
        }
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => cloud.Identity.GetProjectAsync(id, None)));
        Assert.Equal(2, tokens.Distinct().Count());
        Assert.Equal(2, front.Connections);
    }

    [Fact]
    public async Task A_token_is_renewed_before_its_end()
    {
        var id = await ProjectIdAsync();
        var clock = new MovedClock();
        await using var front = new TlsFront(KeystoneUrl);
        using var cloud = Open(User(url: $"{front.Endpoint}/v3"), front.CaFile, clock: clock);
        // Keystone serves one login a connection; a token lives for an hour.
        foreach (var (minutes, logins) in new[] { (0, 1), (50, 1), (56, 2), (100, 2), (112, 3) })
        {
            clock.Moved = TimeSpan.FromMinutes(minutes);
            await cloud.Identity.GetProjectAsync(id, None);
            Assert.Equal(logins, front.Connections);
        }
    }

    [Fact]
    public async Task A_certificate_of_ones_own_authority_is_taken_and_a_strangers_is_not()
    {
        var id = await ProjectIdAsync();
        await using var front = new TlsFront(KeystoneUrl);
        using var trusting = Open(User(url: $"{front.Endpoint}/v3"), front.CaFile);
        await trusting.Identity.GetProjectAsync(id, None);

        var notes = new Notes();
        using var stranger = Open(User(url: $"{front.Endpoint}/v3"), logger: notes);
        var e = await FailsAsync(ErrorKind.Unavailable, () => stranger.Identity.GetProjectAsync(id, None));
        Assert.Contains("certificate is not trusted", e.Message, StringComparison.Ordinal);
        Assert.Contains("cafile", e.Remedy, StringComparison.Ordinal);
        Assert.Empty(notes.Lines);
    }

    [Fact]
    public async Task A_login_waits_as_long_as_Keystone_asks_and_outlives_a_cut_connection()
    {
        var id = await ProjectIdAsync();
        var (cuts, notes) = (1, new Notes());
        await using var front = new TlsFront(KeystoneUrl) { ToClient = _ => cuts-- <= 0 };
        front.Answers.Enqueue(TooMany);
        using var cloud = Open(User(url: $"{front.Endpoint}/v3"), front.CaFile, logger: notes);
        var started = DateTime.UtcNow;
        await cloud.Identity.GetProjectAsync(id, None);
        Assert.True(DateTime.UtcNow - started >= TimeSpan.FromSeconds(1));
        Assert.Equal(2, notes.Lines.Count);
        Assert.Contains("429", notes.Lines.First(), StringComparison.Ordinal);
        Assert.DoesNotContain(CloudPlace.Password, string.Join('\n', notes.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_project_that_is_not_ours_and_one_that_is_not_there_are_told()
    {
        var tokens = new ConcurrentQueue<string>();
        await using var front = new TlsFront(KeystoneUrl) { ToClient = part => Note(part.Span, tokens) };
        using var cloud = Open(User(url: $"{front.Endpoint}/v3"), front.CaFile);
        var e = await Assert.ThrowsAsync<RbdBackupException>(() => cloud.Identity.GetProjectAsync("0123456789abcdef0123456789abcdef", None));
        Assert.True(e.Kind is ErrorKind.Permission or ErrorKind.NotFound, e.ToString());
        Assert.Contains("0123456789abcdef0123456789abcdef", e.Message, StringComparison.Ordinal);
        Assert.Matches(@"\(req-[0-9a-f-]+\)", e.Message);
        Assert.DoesNotContain(tokens.Single(), e.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    public async Task An_id_that_would_name_something_else_is_refused_unsent(string id)
    {
        // Nobody listens there, and nobody has to.
        using var cloud = Open(User(url: "http://127.0.0.1:1/v3"), retries: 0);
        foreach (var act in new Func<Task>[]
        {
            () => cloud.Identity.GetProjectAsync(id, None), () => cloud.Compute.DeleteServerAsync(id, None), () => cloud.Compute.DeleteMetadataAsync("x", id, None),
            () => cloud.BlockStorage.DeleteVolumeAsync(id, None), () => cloud.BlockStorage.DeleteMetadataAsync("x", id, None),
        })
        {
            await FailsAsync(ErrorKind.Usage, act);
        }
    }

    private static async Task<string> ProjectIdAsync()
    {
        var (client, token) = await LogInAsync(User());
        client.Dispose();
        return (string)token["project"]!["id"]!;
    }

    private static bool Note(Span<byte> part, ConcurrentQueue<string> tokens)
    {
        if (TokenHeader().Match(Encoding.Latin1.GetString(part)) is { Success: true } found)
        {
            tokens.Enqueue(found.Groups[1].Value);
        }
        return true;
    }

    [GeneratedRegex("X-Subject-Token: (\\S+)")]
    private static partial Regex TokenHeader();
}
