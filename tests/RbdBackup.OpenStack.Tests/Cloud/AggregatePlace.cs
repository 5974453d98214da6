using System.Net.Http.Json;
using System.Text.Json.Nodes;
using static RbdBackup.OpenStack.Tests.Cloud.CloudPlace;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>A host aggregate, made by the operator, that is gone when it is disposed.</summary>
internal sealed class AggregatePlace : IAsyncDisposable
{
    private readonly HttpClient _client;
    private readonly string? _host;
    private string _url = "";

    private AggregatePlace(HttpClient client, string? host) => (_client, _host) = (client, host);

    public string Name { get; } = $"clients-{Guid.NewGuid():N}";

    /// <summary>Makes one, with a host or none in it.</summary>
    public static async Task<AggregatePlace> CreateAsync(string? host = null)
    {
        var place = new AggregatePlace((await LogInAsync(Service())).Client, host);
        var made = await place.PostAsync($"{Setting("RBDBACKUP_TEST_NOVA_URL")}/os-aggregates", new { aggregate = new { name = place.Name } });
        place._url = $"{Setting("RBDBACKUP_TEST_NOVA_URL")}/os-aggregates/{made["aggregate"]!["id"]}";
        if (host is not null)
        {
            await place.PostAsync($"{place._url}/action", new { add_host = new { host } });
        }

        return place;
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
        {
            await PostAsync($"{_url}/action", new { remove_host = new { host = _host } });
        }

        (await _client.DeleteAsync(_url)).EnsureSuccessStatusCode().Dispose();
        _client.Dispose();
    }

    private async Task<JsonNode> PostAsync(string url, object body)
    {
        using var json = Json(body);
        using var answer = await _client.PostAsync(url, json);
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonNode>())!;
    }
}
