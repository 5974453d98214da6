using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Worker;

namespace RbdBackup.Tenants;

/// <summary>How a backup ended, or was refused, for the server whose disk it is.</summary>
/// <param name="Image">The disk.</param>
/// <param name="Result">How; null where it was refused.</param>
/// <param name="Refused">Why it was refused; null where it was not.</param>
internal sealed record BackupNews(ImageSpec Image, DiskResult? Result, string? Refused = null);

/// <summary>
/// Tells servers how their backups went, by one key of their metadata, written only when it changes. While Nova does not take it (409: the server is in
/// another state, or something is being done to it), it waits. Never on volumes: what manages infrastructure there takes a key that it did not set for drift.
/// </summary>
internal sealed partial class StatusWriter(ComputeClient compute, MeaningOptions words, Members members, TenantRecords records, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Deferment = TimeSpan.FromSeconds(20);
    private readonly Channel<BackupNews> _news = Channel.CreateUnbounded<BackupNews>();
    private readonly ConcurrentDictionary<string, DateTimeOffset> _due = new();

    /// <summary>Has a server's status looked at soon.</summary>
    public void Changed(string server) => _due[server] = time.GetUtcNow();

    /// <summary>A backup was committed.</summary>
    public void Ended(Manifest point) => _news.Writer.TryWrite(new(point.Disk.Spec, new DiskResult(point.Created, point.Point.ToString(), null)));

    /// <summary>A backup failed.</summary>
    public void Failed(ImageSpec image, ErrorKind kind) => _news.Writer.TryWrite(new(image, new DiskResult(time.GetUtcNow(), null, StatusText.Reason(kind))));

    /// <summary>A backup was refused.</summary>
    public void Refused(ImageSpec image, string why) => _news.Writer.TryWrite(new(image, null, $"{time.GetUtcNow():yyyy-MM-ddTHH:mm:ssZ}: {why}"));

    /// <summary>Runs until stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Tick, time);
        while (await timer.WaitForNextTickAsync(stop))
        {
            await NewsAsync(stop);
            foreach (var (server, _) in _due.Where(d => d.Value <= time.GetUtcNow()))
            {
                _due.TryRemove(server, out _);
                await TryAsync(server, cancel => WriteAsync(server, cancel), stop);
            }
        }
    }

    /// <summary>Puts what came since the last time into the servers' records: all of a server at once, as disks of one server end at nearly one time.</summary>
    private async Task NewsAsync(CancellationToken stop)
    {
        var news = new List<BackupNews>();
        while (_news.Reader.TryRead(out var one))
        {
            news.Add(one);
        }

        try
        {
            var known = news.Count == 0 ? null : await members.ReadAllAsync(stop);
            foreach (var server in news.GroupBy(n => known!.GetValueOrDefault(n.Image)?.Server).Where(g => g.Key is not null))
            {
                await RecordAsync(server.Key!, [.. server], stop);
                Changed(server.Key!);
            }
        }
        catch (RbdBackupException e)
        {
            // The next backup tells more; what is lost is a line of text.
            LogFailed("a server", e.Message);
        }
    }

    private async Task RecordAsync(string server, IReadOnlyList<BackupNews> news, CancellationToken stop)
    {
        var subject = new Subject(SubjectKind.Server, server);
        await using var lease = await records.LeaseAsync(subject, stop);
        if (await records.ReadAsync(subject, stop) is not { } record)
        {
            return;
        }

        var results = record.Results.ToDictionary();
        foreach (var one in news.Where(n => n.Result is not null))
        {
            results[one.Image.ToString()] = one.Result!;
        }

        var refused = news.LastOrDefault(n => n.Refused is not null)?.Refused ?? (news.Any(n => n.Result?.Point is not null) ? null : record.Refused);
        await TenantRecords.WriteAsync(lease, subject, record with { Results = results, Refused = refused }, stop);
    }

    private async Task WriteAsync(string server, CancellationToken stop)
    {
        var subject = new Subject(SubjectKind.Server, server);
        await using var lease = await records.LeaseAsync(subject, stop);
        if (await records.ReadAsync(subject, stop) is not { } record)
        {
            return;
        }

        var text = record.Policy is null && record.Now is null ? null : StatusText.Of(record);
        if (text != record.Status)
        {
            // The record first would be wrong for ever if this worker died in between; this way the same text is written once more.
            await (text is null
                ? compute.DeleteMetadataAsync(server, words.StatusKey, stop)
                : compute.SetMetadataAsync(server, new Dictionary<string, string> { [words.StatusKey] = text }, stop));
            var isDone = text is null && record is { Policy: null, Now: null, Nows: 0 };
            await TenantRecords.WriteAsync(lease, subject, isDone ? null : record with { Status = text }, stop);
        }
    }

    private async Task TryAsync(string server, Func<CancellationToken, Task> write, CancellationToken stop)
    {
        try
        {
            await write(stop);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy || e.IsTransient)
        {
            _due.TryAdd(server, time.GetUtcNow() + Deferment);
            LogDeferred(server, e.Message);
        }
        catch (RbdBackupException e)
        {
            // Gone, or its project used all its keys. The next change is tried again.
            LogFailed(server, e.Message);
        }
    }

    [LoggerMessage(4140, LogLevel.Debug, "the status of server {Server} waits: {Why}")]
    private partial void LogDeferred(string server, string why);

    [LoggerMessage(4141, LogLevel.Warning, "the status of {Server} could not be written: {Why}")]
    private partial void LogFailed(string server, string why);
}
