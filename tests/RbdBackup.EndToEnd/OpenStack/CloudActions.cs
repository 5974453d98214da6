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

    private static string Images => $"{Mini.Setting("RBDBACKUP_TEST_GLANCE_URL")}/v2/images";

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

    public Task DeleteSnapshotAsync(string snapshot) => DeleteAsync($"{_cinder}/snapshots/{snapshot}");

    /// <summary>A volume type, with an extra spec or none; its id.</summary>
    public async Task<string> CreateTypeAsync(string name, (string Key, string Value)? spec = null)
    {
        var type = (await DoAsync($"{_cinder}/types", new() { ["volume_type"] = new JsonObject { ["name"] = name } }))!["volume_type"]!["id"]!.GetValue<string>();
        if (spec is var (key, value))
        {
            await DoAsync($"{_cinder}/types/{type}/extra_specs", new() { ["extra_specs"] = new JsonObject { [key] = value } });
        }

        return type;
    }

    /// <summary>The backends that volumes may be scheduled to: <c>host@backend#name</c>.</summary>
    public async Task<IReadOnlyList<string>> BackendsAsync() =>
        [.. JsonNode.Parse(await _http.GetStringAsync($"{_cinder}/scheduler-stats/get_pools"))!["pools"]!.AsArray().Select(p => p!["name"]!.GetValue<string>())];

    public Task DeleteTypeAsync(string type) => DeleteAsync($"{_cinder}/types/{type}");

    /// <summary>A volume of 1 GiB that is made of an image; its id. It is available a while later.</summary>
    public async Task<string> VolumeOfImageAsync(string image, string name) => (await DoAsync(
        $"{_cinder}/volumes", new() { ["volume"] = new JsonObject { ["name"] = name, ["size"] = 1, ["imageRef"] = image } }))!["volume"]!["id"]!.GetValue<string>();

    /// <summary>A flavor like mini, with ephemeral disks of so many GiB together; its id.</summary>
    public async Task<string> CreateFlavorAsync(string name, int ephemeral)
    {
        var flavor = new JsonObject { ["name"] = name, ["ram"] = 192, ["vcpus"] = 1, ["disk"] = 1, ["OS-FLV-EXT-DATA:ephemeral"] = ephemeral };
        return (await DoAsync($"{Nova}/flavors", new() { ["flavor"] = flavor }))!["flavor"]!["id"]!.GetValue<string>();
    }

    public Task DeleteFlavorAsync(string flavor) => DeleteAsync($"{Nova}/flavors/{flavor}");

    /// <summary>A key of the user's.</summary>
    public Task CreateKeyAsync(string name) => DoAsync($"{Nova}/os-keypairs", new() { ["keypair"] = new JsonObject { ["name"] = name } });

    public Task DeleteKeyAsync(string name) => DeleteAsync($"{Nova}/os-keypairs/{name}");

    /// <summary>A copy of an image that boots, for this project alone; its id.</summary>
    public async Task<string> CopyImageAsync(string image, string name)
    {
        var asked = new JsonObject
        {
            ["name"] = name,
            ["disk_format"] = "raw",
            ["container_format"] = "bare",
            ["min_disk"] = 1,
            ["hw_disk_bus"] = "virtio",
            ["hw_qemu_guest_agent"] = "yes",
        };
        var id = (await DoAsync(Images, asked))!["id"]!.GetValue<string>();
        var file = Path.GetTempFileName();
        try
        {
            await Tool.BashAsync("rbd --name client.admin export --no-progress \"images/$1@snap\" - >\"$2\"", image, file);
            await using var data = File.OpenRead(file);
            using var body = new StreamContent(data);
            body.Headers.ContentType = new("application/octet-stream");
            (await _http.PutAsync($"{Images}/{id}/file", body)).EnsureSuccessStatusCode();
        }
        finally
        {
            File.Delete(file);
        }

        return id;
    }

    /// <summary>Deactivates an image, of which then nobody can make a server, or reactivates it.</summary>
    public async Task ImageAsync(string image, string action) => (await _http.PostAsync($"{Images}/{image}/actions/{action}", null)).EnsureSuccessStatusCode();

    public Task DeleteImageAsync(string image) => DeleteAsync($"{Images}/{image}");

    public void Dispose() => _http.Dispose();

    // In one piece, with its length: the services don't read what comes in chunks.
    private static StringContent Json(JsonObject body) => new(body.ToJsonString(), Encoding.UTF8, "application/json");

    private async Task DeleteAsync(string url) => (await _http.DeleteAsync(url)).EnsureSuccessStatusCode();

    private async Task<JsonNode?> DoAsync(string url, JsonObject body)
    {
        using var answer = await _http.PostAsync(url, Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{url} answered {(int)answer.StatusCode}: {text}");
        return text.Length > 0 ? JsonNode.Parse(text) : null;
    }
}
