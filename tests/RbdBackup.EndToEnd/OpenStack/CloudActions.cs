using System.Text;
using System.Text.Json.Nodes;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>What a tenant or an administrator does to servers and volumes that RbdBackup itself never does: calls of Nova's and Cinder's own API.</summary>
internal sealed class CloudActions : IDisposable
{
    private readonly HttpClient _http = new();
    private readonly string _cinder;

    private CloudActions(string token, string project)
    {
        _http.DefaultRequestHeaders.Add("X-Auth-Token", token);
        _http.DefaultRequestHeaders.Add("OpenStack-API-Version", "compute 2.79, volume 3.60");
        _cinder = $"{Mini.Setting("RBDBACKUP_TEST_CINDER_URL")}/{project}";
    }

    private static string Nova => Mini.Setting("RBDBACKUP_TEST_NOVA_URL");

    /// <summary>As one of the users of devstack/mini: TENANT_A, SERVICE.</summary>
    public static async Task<CloudActions> OfAsync(string who)
    {
        JsonNode User() => new JsonObject
        {
            ["name"] = Mini.Setting($"RBDBACKUP_TEST_{who}_USER"),
            ["password"] = Mini.Setting($"RBDBACKUP_TEST_{who}_PASSWORD"),
            ["domain"] = Domain(),
        };
        JsonNode Domain() => new JsonObject { ["id"] = "default" };
        var auth = new JsonObject
        {
            ["identity"] = new JsonObject { ["methods"] = new JsonArray("password"), ["password"] = new JsonObject { ["user"] = User() } },
            ["scope"] = new JsonObject { ["project"] = new JsonObject { ["name"] = Mini.Setting($"RBDBACKUP_TEST_{who}_PROJECT"), ["domain"] = Domain() } },
        };
        using var http = new HttpClient();
        using var answer = await http.PostAsync($"{Tenant.AuthUrl}/auth/tokens", Json(new() { ["auth"] = auth }));
        var token = JsonNode.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync())!["token"]!;
        return new CloudActions(answer.Headers.GetValues("X-Subject-Token").Single(), token["project"]!["id"]!.GetValue<string>());
    }

    public Task ServerAsync(string server, string action, JsonObject? with = null) => DoAsync($"{Nova}/servers/{server}/action", new() { [action] = with });

    public Task VolumeAsync(string volume, string action, JsonObject with) => DoAsync($"{_cinder}/volumes/{volume}/action", new() { [action] = with });

    /// <summary>A snapshot of a volume; its id. It is available a while later.</summary>
    public async Task<string> SnapshotAsync(string volume) =>
        (await DoAsync($"{_cinder}/snapshots", new() { ["snapshot"] = new JsonObject { ["volume_id"] = volume, ["force"] = true } }))!["snapshot"]!["id"]!.GetValue<string>();

    public async Task DeleteSnapshotAsync(string snapshot) => (await _http.DeleteAsync($"{_cinder}/snapshots/{snapshot}")).EnsureSuccessStatusCode();

    /// <summary>A volume type; its id.</summary>
    public async Task<string> CreateTypeAsync(string name) =>
        (await DoAsync($"{_cinder}/types", new() { ["volume_type"] = new JsonObject { ["name"] = name } }))!["volume_type"]!["id"]!.GetValue<string>();

    /// <summary>A volume type whose volumes may be attached to several servers; its id.</summary>
    public async Task<string> CreateMultiattachTypeAsync(string name)
    {
        var type = await CreateTypeAsync(name);
        await DoAsync($"{_cinder}/types/{type}/extra_specs", new() { ["extra_specs"] = new JsonObject { ["multiattach"] = "<is> True" } });
        return type;
    }

    public async Task DeleteTypeAsync(string type) => (await _http.DeleteAsync($"{_cinder}/types/{type}")).EnsureSuccessStatusCode();

    public void Dispose() => _http.Dispose();

    // In one piece, with its length: the services don't read what comes in chunks.
    private static StringContent Json(JsonObject body) => new(body.ToJsonString(), Encoding.UTF8, "application/json");

    private async Task<JsonNode?> DoAsync(string url, JsonObject body)
    {
        using var answer = await _http.PostAsync(url, Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{url} answered {(int)answer.StatusCode}: {text}");
        return text.Length > 0 ? JsonNode.Parse(text) : null;
    }
}
