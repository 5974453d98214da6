using System.Net.Http.Json;
using System.Text.Json.Nodes;
using RbdBackup.Http.Keystone;
using RbdBackup.Stores.Tests;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>A region of its own in Keystone's catalogue, in which a real service stands behind a front: TLS, and a network that can be made to fail.</summary>
internal sealed class RegionBehind : IAsyncDisposable
{
    private readonly HttpClient _admin;
    private readonly List<string> _made = [];

    private RegionBehind(HttpClient admin, string service)
    {
        _admin = admin;
        Front = new TlsFront(service);
    }

    public string Name { get; } = $"test-{Guid.NewGuid():N}";

    public TlsFront Front { get; }

    /// <summary>Makes the region.</summary>
    /// <param name="type">The service's type in the catalogue.</param>
    /// <param name="url">The real service's URL.</param>
    /// <param name="path">What follows host and port in the catalogue.</param>
    public static async Task<RegionBehind> MakeAsync(string type, string url, string path)
    {
        var admin = new KeystoneOptions
        {
            AuthUrl = CloudPlace.KeystoneUrl,
            Username = CloudPlace.Setting("OS_USERNAME"),
            Password = CloudPlace.Setting("OS_PASSWORD"),
            ProjectName = CloudPlace.Setting("OS_PROJECT_NAME"),
        };
        var region = new RegionBehind((await CloudPlace.LogInAsync(admin)).Client, url);
        var services = await region._admin.GetFromJsonAsync<JsonNode>($"services?type={type}");
        await region.PostAsync("regions", new { region = new { id = region.Name } });
        await region.PostAsync("endpoints", new
        {
            endpoint = new { service_id = (string)services!["services"]![0]!["id"]!, region_id = region.Name, @interface = "public", url = region.Front.Endpoint + path },
        });
        return region;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var made in Enumerable.Reverse(_made))
        {
            (await _admin.DeleteAsync(made)).EnsureSuccessStatusCode();
        }
        _admin.Dispose();
        await Front.DisposeAsync();
    }

    private async Task PostAsync(string kind, object body)
    {
        using var answer = await _admin.PostAsync(kind, CloudPlace.Json(body));
        var made = await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonNode>();
        _made.Add($"{kind}/{made![kind.TrimEnd('s')]!["id"]}");
    }
}
