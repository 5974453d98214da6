using System.Collections.Concurrent;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.OpenStack.Identity;

namespace RbdBackup.Tenants;

/// <summary>
/// Whether a project may ask for backups, and whether it has used up what it may have. Points are counted when the catalogue is read, every few minutes; what
/// was asked for since counts as a point.
/// </summary>
internal sealed class ProjectGate(IdentityClient identity, TenantsSettings limits, TimeProvider time)
{
    private static readonly TimeSpan TagsHold = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Day = TimeSpan.FromHours(24);
    private readonly ConcurrentDictionary<string, (string? Why, DateTimeOffset At)> _allowed = new();
    private readonly Lock _lock = new();
    private readonly List<(string Project, DateTimeOffset At)> _asked = [];
    private readonly TaskCompletionSource _counted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Dictionary<string, ProjectUsage> _used = [];

    /// <summary>Why a project may not ask at all; null where it may. For the project to read.</summary>
    /// <exception cref="RbdBackupException">Keystone did not answer.</exception>
    public async Task<string?> WhyNotAsync(string project, CancellationToken cancel)
    {
        if (limits.ProjectTag is not { } tag)
        {
            return null;
        }

        if (!_allowed.TryGetValue(project, out var known) || time.GetUtcNow() - known.At > TagsHold)
        {
            _allowed[project] = known = (await HasTagAsync(project, tag, cancel) ? null : "the project may not ask for backups", time.GetUtcNow());
        }

        return known.Why;
    }

    /// <summary>Counts a wish for a backup, or says why it is refused. For the project to read. Waits until the points were counted once.</summary>
    public async Task<string?> WhyNoMoreAsync(string project, CancellationToken cancel)
    {
        if (limits is { MaxPoints: 0, MaxStored: 0, MaxBackupsADay: 0 })
        {
            return null;
        }

        await _counted.Task.WaitAsync(cancel);
        lock (_lock)
        {
            var used = _used.GetValueOrDefault(project) ?? new ProjectUsage(0, 0, 0);
            var asked = _asked.Count(a => a.Project == project);
            var why = (used with { Points = used.Points + asked, LastDay = used.LastDay + asked }).WhyNoMore(limits);
            if (why is null)
            {
                _asked.Add((project, time.GetUtcNow()));
            }

            return why;
        }
    }

    /// <summary>Takes the repository's points.</summary>
    /// <param name="points">All points.</param>
    /// <param name="from">When their listing began.</param>
    public void Saw(IEnumerable<Manifest> points, DateTimeOffset from)
    {
        var used = points.Where(p => p.AskedBy.Project is not null).GroupBy(p => p.AskedBy.Project!).ToDictionary(
            g => g.Key, g => new ProjectUsage(g.LongCount(), g.Sum(p => p.StoredBytes), g.LongCount(p => from - p.Created < Day)));
        lock (_lock)
        {
            _used = used;
            _asked.RemoveAll(a => a.At < from);
        }

        _counted.TrySetResult();
    }

    private async Task<bool> HasTagAsync(string project, string tag, CancellationToken cancel)
    {
        try
        {
            return (await identity.GetProjectAsync(project, cancel)) is { Enabled: true } p && p.Tags.Contains(tag);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return false;
        }
    }
}
