using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using RabbitMQ.Client;

namespace RbdBackup.EndToEnd.Worker;

/// <summary>
/// A worker in a process of its own, with queues and a state namespace of its own: it takes up what other tests leave in theirs otherwise.
/// </summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);
    private readonly StringBuilder _log = new();
    private readonly Process _process;

    private WorkerProcess(Process process)
    {
        _process = process;
        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_log)
            {
                _log.AppendLine(line.Data);
            }
        };
        _process.BeginErrorReadLine();
    }

    public static string[] Settings(string name) =>
    [
        $"ceph.user={Mini.WorkerUser}", $"ceph.state_namespace={name}", "ceph.lease_duration=5s", $"notifications.queue_prefix={name}", $"notifications.exchanges={name}.nova, {name}.cinder",
        $"notifications.transport_url={Mini.AmqpUrl.Replace("amqp:", "rabbit:", StringComparison.Ordinal)}", "http.port=0",

        // Other tests' workers sweep the same pools and hear the same services: none takes these for its own.
        $"ceph.snapshot_name={name}.{{point}}", $"ceph.volume_snapshot_name=backup.{name}-{{point}}.snap.{{time}}",

        // Forged messages are what most tests are made of.
        "tenants.ask_cloud=false",
        "repository.segment_size=1MiB", "repository.frame_size=64KiB", "repository.uploads=1",
    ];

    /// <summary>The points of the repository are so many.</summary>
    public static Task HasPointsAsync(Sandbox sandbox, int count, WorkerProcess worker) =>
        UntilAsync($"{count} points", async () => (await PointsAsync(sandbox)).Count == count, worker);

    public static async Task<WorkerProcess> StartAsync(Sandbox sandbox, string? killAt = null)
    {
        var environment = killAt is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["RBDBACKUP_KILL_AT"] = killAt };
        var worker = new WorkerProcess(sandbox.Start(environment, "worker"));
        await UntilAsync("the worker's queues", () => Task.FromResult(worker.Has("release: connected") && worker.Has("notifications: connected")), worker);
        return worker;
    }

    /// <summary>What it has logged.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    public bool HasExited => _process.HasExited;

    /// <summary>Waits for a condition; fails with the workers' logs.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> holds, params WorkerProcess[] workers)
    {
        for (var from = Stopwatch.StartNew(); !await holds();)
        {
            Assert.True(from.Elapsed < Patience, $"waited in vain for {what}; the worker's log:\n{string.Join("\n--- and the other's:\n", workers.Select(w => w.Log))}");
            await Task.Delay(200);
        }
    }

    /// <summary>The points of the repository.</summary>
    public static async Task<List<JsonElement>> PointsAsync(Sandbox sandbox)
    {
        var result = await sandbox.RunAsync("list");
        return result.ExitCode == 0 ? [.. result.Json.EnumerateArray()] : [];
    }

    /// <summary>Publishes as a service does: topic exchange that is not durable, routing key of its topic and priority.</summary>
    public static async Task PublishAsync(string exchange, byte[] body, string key = "notifications.info")
    {
        await using var connection = await new ConnectionFactory { Uri = new Uri(Mini.AmqpUrl) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        await channel.ExchangeDeclareAsync(exchange, "topic", durable: false);
        await channel.BasicPublishAsync(exchange, key, true, new BasicProperties { ContentType = "application/json", ContentEncoding = "utf-8" }, body);
    }

    /// <summary>A captured message, with a text in it replaced and its payload changed.</summary>
    public static byte[] Message(string capture, string from, string to, Action<JsonNode>? change = null)
    {
        var file = Path.Combine(TopFolder.Path, "tests/RbdBackup.OpenStack.Tests/Captures", capture);
        var envelope = JsonNode.Parse(JsonNode.Parse(File.ReadAllText(file))!["body"]!.GetValue<string>())!;
        var message = JsonNode.Parse(envelope["oslo.message"]!.GetValue<string>())!;
        var old = message["payload"]![from]!.GetValue<string>();
        message = JsonNode.Parse(message.ToJsonString().Replace(old, to, StringComparison.Ordinal))!;
        message["message_id"] = Guid.NewGuid().ToString();
        message["timestamp"] = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm:ss.ffffff");
        message["_context_request_id"] = $"req-{Guid.NewGuid()}";
        change?.Invoke(message["payload"]!);
        envelope["oslo.message"] = message.ToJsonString();
        return Encoding.UTF8.GetBytes(envelope.ToJsonString());
    }

    /// <summary>Nova's message that a server's metadata names a policy.</summary>
    public static byte[] Policy(string server, string policy) => Message(
        "nova-legacy-compute.instance.update.2.json", "instance_id", server, p => p["metadata"] = new JsonObject { ["backup_policy"] = policy });

    /// <summary>The value of a metric without labels, or the sum over all labels; 0 where it has none yet.</summary>
    public async Task<double> MetricAsync(string name)
    {
        var address = Regex.Match(Log, "health and metrics at (\\S+?)[.\"\\s]*$", RegexOptions.Multiline).Groups[1].Value;
        using var http = new HttpClient();
        return (await http.GetStringAsync(new Uri(new Uri(address), "metrics"))).Split('\n')
            .Where(l => l.StartsWith($"{name} ", StringComparison.Ordinal) || l.StartsWith($"{name}{{", StringComparison.Ordinal))
            .Sum(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    /// <summary>It stands still, as on a host that swaps or is cut off: its queues fill, and the broker does not notice at first.</summary>
    public Task StallAsync() => Tool.RunAsync("kill", "-STOP", $"{_process.Id}");

    /// <summary>It goes on where it stood still.</summary>
    public Task WakeAsync() => Tool.RunAsync("kill", "-CONT", $"{_process.Id}");

    /// <summary>Stops it in order; it must end by itself.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await Tool.RunAsync("kill", "-TERM", $"{_process.Id}");
            await Tool.RunAsync("kill", "-CONT", $"{_process.Id}");
            using var patience = new CancellationTokenSource(Patience);
            await _process.WaitForExitAsync(patience.Token);
        }

        _process.Dispose();
    }

    /// <summary>How often the log says something.</summary>
    public int Says(string text) => Log.Split(text).Length - 1;

    /// <summary>How many lines of its log have a text.</summary>
    public int Count(string text) => Log.Split('\n').Count(l => l.Contains(text, StringComparison.Ordinal));

    private bool Has(string text)
    {
        return Log.Contains(text, StringComparison.Ordinal);
    }
}
