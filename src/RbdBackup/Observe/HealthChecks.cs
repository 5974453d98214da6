using System.Collections.Concurrent;

namespace RbdBackup.Observe;

/// <summary>A named question to a part of the process.</summary>
/// <param name="cancel">Cancelled when the answer comes too late.</param>
/// <returns>Null where all is well, else what is wrong.</returns>
public delegate Task<string?> HealthCheck(CancellationToken cancel);

/// <summary>What a round of checks found.</summary>
/// <param name="Status"><c>ok</c> or <c>failing</c>.</param>
/// <param name="Checks">For each check <c>ok</c>, or what is wrong.</param>
public sealed record HealthReport(string Status, IReadOnlyDictionary<string, string> Checks)
{
    /// <summary>True where every check passed.</summary>
    public bool Healthy => Status == "ok";
}

/// <summary>The checks behind <c>/healthz</c> or <c>/readyz</c>. They run side by side, each with a limit of its own.</summary>
public sealed class HealthChecks(TimeProvider time)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<string, HealthCheck> _checks = new();

    /// <summary>Adds a check, or puts another in the place of the one with that name.</summary>
    public void Add(string name, HealthCheck check) => _checks[name] = check;

    /// <summary>Runs them all.</summary>
    public async Task<HealthReport> RunAsync(CancellationToken cancel)
    {
        var answers = await Task.WhenAll(_checks.Select(async c => (c.Key, Answer: await AskAsync(c.Value, cancel))));
        return new HealthReport(
            answers.All(a => a.Answer is null) ? "ok" : "failing",
            new SortedDictionary<string, string>(answers.ToDictionary(a => a.Key, a => a.Answer ?? "ok"), StringComparer.Ordinal));
    }

    private async Task<string?> AskAsync(HealthCheck check, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(Limit, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        try
        {
            // A check may hang in a native call that no token reaches: its answer is awaited no longer than the limit either way.
            return await Task.Run(() => check(both.Token), both.Token).WaitAsync(both.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return $"no answer within {Limit.TotalSeconds:F0} s";
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return e.Message;
        }
    }
}
