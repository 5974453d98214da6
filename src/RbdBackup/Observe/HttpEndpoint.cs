using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RbdBackup.Cli;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Observe;

/// <summary>What the endpoint answers from.</summary>
/// <param name="Live">Behind <c>/healthz</c>: is the process beyond repair, so that it should be started anew?</param>
/// <param name="Ready">Behind <c>/readyz</c>: can it work now, with what it needs of others?</param>
/// <param name="Metrics">Behind <c>/metrics</c>.</param>
public sealed record HttpSources(HealthChecks Live, HealthChecks Ready, MetricsExporter Metrics);

/// <summary>Serves <c>/healthz</c>, <c>/readyz</c> and <c>/metrics</c> until it is disposed.</summary>
public sealed class HttpEndpoint : IAsyncDisposable
{
    private readonly WebApplication _app;

    private HttpEndpoint(WebApplication app) => _app = app;

    /// <summary>Where it listens; the port is the real one where 0 was configured.</summary>
    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>Starts listening.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: the address is none, or is taken.</exception>
    public static async Task<HttpEndpoint> StartAsync(
        HttpSettings settings, HttpSources sources, ILoggerFactory loggers, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var host = settings.Host == "localhost" ? "127.0.0.1" : settings.Host;
        if (!IPAddress.TryParse(host, out var address))
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"[http] host: '{settings.Host}' is no IP address",
                "Write 127.0.0.1, ::1, 0.0.0.0 or an address of this machine.");
        }

        // An empty builder: no environment variable and no file of ASP.NET's changes what is served, and it handles no signals.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k =>
        {
            k.AddServerHeader = false;
            k.Listen(address, settings.Port);
        });
        builder.Services.AddSingleton(loggers).AddSingleton<IHostLifetime, OwnLifetime>();
        var app = builder.Build();
        app.Run(context => AnswerAsync(context, sources));
        try
        {
            await app.StartAsync(cancel);
            return new HttpEndpoint(app);
        }
        catch (IOException e)
        {
            await app.DisposeAsync();
            throw new RbdBackupException(
                ErrorKind.Usage, $"[http] {settings.Host}:{settings.Port} can't be listened on: {e.Message}",
                "Choose another [http] port.", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static Task AnswerAsync(HttpContext context, HttpSources sources) => (context.Request.Method, context.Request.Path.Value) switch
    {
        (not ("GET" or "HEAD"), _) => RefuseAsync(context, StatusCodes.Status405MethodNotAllowed),
        (_, "/healthz") => ReportAsync(context, sources.Live),
        (_, "/readyz") => ReportAsync(context, sources.Ready),
        (_, "/metrics") => MetricsAsync(context, sources.Metrics),
        _ => RefuseAsync(context, StatusCodes.Status404NotFound),
    };

    private static Task RefuseAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsync("/healthz, /readyz and /metrics are served here, by GET\n");
    }

    private static async Task ReportAsync(HttpContext context, HealthChecks checks)
    {
        var report = await checks.RunAsync(context.RequestAborted);
        context.Response.StatusCode = report.Healthy ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "application/json";
        var members = new JsonObject { ["status"] = report.Status, ["checks"] = new JsonObject(report.Checks.Select(c => KeyValuePair.Create(c.Key, (JsonNode?)c.Value))) };
        await context.Response.WriteAsync(members.ToJsonString(JsonForms.Document) + "\n");
    }

    private static Task MetricsAsync(HttpContext context, MetricsExporter metrics)
    {
        context.Response.ContentType = MetricsExporter.ContentType;
        return context.Response.WriteAsync(metrics.Export());
    }

    /// <summary>
    /// The process's life is the command's business (<see cref="StopSignals"/>); the default lifetime would take its signals.
    /// </summary>
    private sealed class OwnLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
