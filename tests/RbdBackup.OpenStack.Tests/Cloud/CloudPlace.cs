using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;
using RbdBackup.Http.Keystone;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>The real cloud that the tests run against: devstack/mini's.</summary>
internal static class CloudPlace
{
    public static string KeystoneUrl => Setting("RBDBACKUP_TEST_KEYSTONE_URL");

    public static string Password => Setting("RBDBACKUP_TEST_KEYSTONE_PASSWORD");

    public static string Project => Setting("RBDBACKUP_TEST_KEYSTONE_PROJECT");

    public static CancellationToken None => CancellationToken.None;

    /// <summary>A user who sees its own project; it is there without OpenStack's other services too.</summary>
    public static KeystoneOptions User(string? url = null, string? password = null, string? region = "RegionOne", string[]? interfaces = null) =>
        Login("KEYSTONE", url, password, region, interfaces);

    /// <summary>The worker's user, who may see every project.</summary>
    public static KeystoneOptions Service(string? region = "RegionOne") => Login("SERVICE", region: region);

    /// <summary>A tenant.</summary>
    public static KeystoneOptions Tenant(string name = "A", string? region = "RegionOne") => Login($"TENANT_{name}", region: region);

    public static OpenStackCloud Open(
        KeystoneOptions keystone, string? caFile = null, int pageSize = 500, int retries = 3, ILogger? logger = null, TimeProvider? clock = null) =>
        new(
            new CloudOptions
            {
                Keystone = keystone,
                CaFile = caFile,
                PageSize = pageSize,
                Retries = retries,
                RetryDelay = TimeSpan.FromMilliseconds(5),
            },
            logger,
            clock);

    /// <summary>A client beside the one that is tested, logged in to Keystone: its base address is Keystone's.</summary>
    public static async Task<(HttpClient Client, JsonNode Token)> LogInAsync(KeystoneOptions options)
    {
        // Keystone's little server closes each connection without saying so.
        var client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { BaseAddress = new(KeystoneUrl + '/') };
        var domain = new { id = "default" };
        var identity = new { methods = new[] { "password" }, password = new { user = new { name = options.Username, domain, password = options.Password } } };
        var body = new { auth = new { identity, scope = new { project = new { name = options.ProjectName, domain } } } };
        using var answer = await client.PostAsync("auth/tokens", Json(body));
        client.DefaultRequestHeaders.Add("X-Auth-Token", answer.EnsureSuccessStatusCode().Headers.GetValues("X-Subject-Token"));
        return (client, (await answer.Content.ReadFromJsonAsync<JsonNode>())!["token"]!);
    }

    /// <summary>A body of known length: the little server that Keystone runs in knows no chunks.</summary>
    public static StringContent Json(object body) => new(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");

    public static async Task<RbdBackupException> FailsAsync(ErrorKind kind, Func<Task> act)
    {
        var e = await Assert.ThrowsAsync<RbdBackupException>(act);
        Assert.True(kind == e.Kind, $"{kind} was expected: {e}");
        Assert.NotNull(e.Remedy);
        return e;
    }

    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        var limit = DateTime.UtcNow.AddMinutes(2);
        while (!await holds())
        {
            Assert.True(DateTime.UtcNow < limit, $"after two minutes not yet: {what}");
            await Task.Delay(300);
        }
    }

    public static string Setting(string name) => Environment.GetEnvironmentVariable(name)
        ?? throw new InvalidOperationException($"{name} is not set: run devstack/mini/mini up openstack, then eval \"$(devstack/mini/mini env)\".");

    private static KeystoneOptions Login(string who, string? url = null, string? password = null, string? region = null, string[]? interfaces = null) => new()
    {
        AuthUrl = url ?? KeystoneUrl,
        Username = Setting($"RBDBACKUP_TEST_{who}_USER"),
        Password = password ?? Setting($"RBDBACKUP_TEST_{who}_PASSWORD"),
        ProjectName = Setting($"RBDBACKUP_TEST_{who}_PROJECT"),
        RegionName = region,
        Interfaces = interfaces ?? ["public"],
    };
}
