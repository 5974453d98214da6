using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Observe;

namespace RbdBackup.Tests.Observe;

public sealed class HttpEndpointTests : IAsyncLifetime, IDisposable
{
    private readonly Meter _meter = new("RbdBackup.Tests." + Guid.NewGuid().ToString("N"));
    private readonly HealthChecks _live = new(TimeProvider.System);
    private readonly HealthChecks _ready = new(TimeProvider.System);
    private readonly HttpSettings _settings = new() { Host = "127.0.0.1", Port = 0 };
    private readonly HttpClient _client = new();
    private readonly MetricsExporter _exporter;
    private HttpEndpoint _endpoint = null!;

    public HttpEndpointTests() => _exporter = new MetricsExporter(_meter.Name);

    public async Task InitializeAsync()
    {
        _endpoint = await HttpEndpoint.StartAsync(_settings, new HttpSources(_live, _ready, _exporter), NullLoggerFactory.Instance, CancellationToken.None);
        _client.BaseAddress = _endpoint.Address;
    }

    public async Task DisposeAsync() => await _endpoint.DisposeAsync();

    public void Dispose()
    {
        _client.Dispose();
        _exporter.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public async Task Health_says_which_check_fails()
    {
        _ready.Add("ceph", _ => Task.FromResult<string?>(null));
        _ready.Add("broker", _ => throw new InvalidOperationException("connection refused"));
        using var ready = await _client.GetAsync("/readyz");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal("application/json", ready.Content.Headers.ContentType!.MediaType);
        Assert.Equal(
            """{"status":"failing","checks":{"broker":"connection refused","ceph":"ok"}}""",
            System.Text.RegularExpressions.Regex.Replace(await ready.Content.ReadAsStringAsync(), @"\s(?=[\s""}])|\s$|(?<=:)\s", ""));

        using var live = await _client.GetAsync("/healthz");
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    [Fact]
    public async Task Metrics_are_served_as_prometheus_reads_them()
    {
        _meter.CreateCounter<int>("rbdbackup.points").Add(2);
        using var metrics = await _client.GetAsync("/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", metrics.Content.Headers.ContentType!.ToString());
        Assert.Equal("# TYPE rbdbackup_points_total counter\nrbdbackup_points_total 2\n", await metrics.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Nothing_else_is_served()
    {
        using var other = await _client.GetAsync("/");
        using var post = await _client.PostAsync("/healthz", null);
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed), (other.StatusCode, post.StatusCode));
    }

    [Fact]
    public async Task A_port_that_is_taken_and_an_address_that_is_none_are_usage_errors()
    {
        foreach (var settings in new[] { _settings with { Port = _endpoint.Address.Port }, _settings with { Host = "here" } })
        {
            var error = await Assert.ThrowsAsync<RbdBackupException>(
                () => HttpEndpoint.StartAsync(settings, new HttpSources(_live, _ready, _exporter), NullLoggerFactory.Instance, CancellationToken.None));
            Assert.Equal(ErrorKind.Usage, error.Kind);
            Assert.StartsWith("[http] ", error.Message, StringComparison.Ordinal);
        }
    }
}
