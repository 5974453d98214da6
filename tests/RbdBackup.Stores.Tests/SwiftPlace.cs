using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RbdBackup.Core.Ports;
using RbdBackup.Http.Keystone;

namespace RbdBackup.Stores.Tests;

/// <summary>The real Swift services that the tests run against: devstack/mini's Swift, by its own authentication and by Keystone, and its radosgw.</summary>
internal static class SwiftPlace
{
    public static string Container => Setting("RBDBACKUP_TEST_SWIFT_CONTAINER");

    public static string AuthUrl => Setting("RBDBACKUP_TEST_SWIFT_AUTH_URL");

    public static string User => Setting("RBDBACKUP_TEST_SWIFT_USER");

    public static string Key => Setting("RBDBACKUP_TEST_SWIFT_KEY");

    public static string KeystoneUrl => Setting("RBDBACKUP_TEST_KEYSTONE_URL");

    /// <summary>By Swift's own authentication.</summary>
    public static SwiftOptions Own(string? accountUrl = null, string? key = null, string? authUrl = null, string? caFile = null, int retries = 3) => new()
    {
        AuthUrl = authUrl ?? AuthUrl,
        User = User,
        Key = key ?? Key,
        AccountUrl = accountUrl,
        CaFile = caFile,
        Retries = retries,
        RetryDelay = TimeSpan.FromMilliseconds(5),
    };

    /// <summary>radosgw's Swift.</summary>
    public static SwiftOptions Radosgw(string? key = null) => new()
    {
        AuthUrl = Setting("RBDBACKUP_TEST_RGW_SWIFT_AUTH_URL"),
        User = Setting("RBDBACKUP_TEST_RGW_SWIFT_USER"),
        Key = key ?? Setting("RBDBACKUP_TEST_RGW_SWIFT_KEY"),
        Retries = 2,
        RetryDelay = TimeSpan.FromMilliseconds(5),
    };

    /// <summary>By Keystone.</summary>
    public static SwiftOptions Keystone(KeystoneOptions? options = null, string? accountUrl = null) =>
        new() { Keystone = options ?? Password(), AccountUrl = accountUrl, Retries = 2, RetryDelay = TimeSpan.FromMilliseconds(5) };

    public static KeystoneOptions Password(string? url = null, string? password = null, string? project = null, string? region = "RegionOne", string[]? interfaces = null) => new()
    {
        AuthUrl = url ?? KeystoneUrl,
        Username = Setting("RBDBACKUP_TEST_KEYSTONE_USER"),
        UserDomainName = "Default",
        Password = password ?? Setting("RBDBACKUP_TEST_KEYSTONE_PASSWORD"),
        ProjectName = project ?? Setting("RBDBACKUP_TEST_KEYSTONE_PROJECT"),
        ProjectDomainId = "default",
        RegionName = region,
        Interfaces = interfaces ?? ["public"],
    };

    public static KeystoneOptions ApplicationCredential(string? id = null, string? name = null, string? secret = null) => new()
    {
        AuthUrl = KeystoneUrl,
        ApplicationCredentialId = name is null ? id ?? Setting("RBDBACKUP_TEST_KEYSTONE_CREDENTIAL_ID") : null,
        ApplicationCredentialName = name,
        Username = name is null ? null : Setting("RBDBACKUP_TEST_KEYSTONE_USER"),
        ApplicationCredentialSecret = secret ?? Setting("RBDBACKUP_TEST_KEYSTONE_CREDENTIAL_SECRET"),
        RegionName = "RegionOne",
    };

    public static IObjectStore Open(SwiftOptions options, string prefix = "", string? container = null, TimeProvider? clock = null) =>
        StoreFactory.Open($"swift://{container ?? Container}/{prefix}", new StoreOptions { Swift = options }, clock: clock);

    /// <summary>A client beside the store, by Swift's own authentication: its base address is the account's URL.</summary>
    public static async Task<HttpClient> LogInAsync()
    {
        using var stranger = new HttpClient();
        using var login = new HttpRequestMessage(HttpMethod.Get, AuthUrl) { Headers = { { "X-Auth-User", User }, { "X-Auth-Key", Key } } };
        using var answer = await stranger.SendAsync(login);
        var account = answer.EnsureSuccessStatusCode().Headers.GetValues("X-Storage-Url").Single();
        var client = new HttpClient { BaseAddress = new(account + '/') };
        client.DefaultRequestHeaders.Add("X-Auth-Token", answer.Headers.GetValues("X-Auth-Token"));
        return client;
    }

    /// <summary>A client beside the store, by Keystone: its base address is Keystone's, and the second value Swift's account URL.</summary>
    public static async Task<(HttpClient Client, string AccountUrl)> LogInToKeystoneAsync()
    {
        var client = new HttpClient { BaseAddress = new(KeystoneUrl + '/') };
        var domain = new { id = "default" };
        var (user, password, project) = (Setting("RBDBACKUP_TEST_KEYSTONE_USER"), Setting("RBDBACKUP_TEST_KEYSTONE_PASSWORD"), Setting("RBDBACKUP_TEST_KEYSTONE_PROJECT"));
        var identity = new { methods = new[] { "password" }, password = new { user = new { name = user, domain, password } } };
        // A whole text: the little server that Keystone runs in knows no chunks.
        var body = JsonSerializer.Serialize(new { auth = new { identity, scope = new { project = new { name = project, domain } } } });
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("auth/tokens", content);
        client.DefaultRequestHeaders.Add("X-Auth-Token", answer.EnsureSuccessStatusCode().Headers.GetValues("X-Subject-Token"));
        var services = (await answer.Content.ReadFromJsonAsync<JsonNode>())!["token"]!["catalog"]!.AsArray();
        var endpoints = services.Single(service => (string?)service!["type"] == "object-store")!["endpoints"]!.AsArray();
        return (client, (string)endpoints.First(endpoint => (string?)endpoint!["region_id"] == "RegionOne")!["url"]!);
    }

    private static string Setting(string name) => Environment.GetEnvironmentVariable(name)
        ?? throw new InvalidOperationException($"{name} is not set: run devstack/mini/mini up swift rgw, then eval \"$(devstack/mini/mini env)\".");
}
