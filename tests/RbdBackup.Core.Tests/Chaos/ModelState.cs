using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Tests.Chaos;

/// <summary>The state objects beside the images of a <see cref="ModelCluster"/>, with leases.</summary>
internal sealed class ModelState(Turns turns) : IStateStore
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _leased = [];
    private readonly Dictionary<string, Dictionary<string, byte[]>> _objects = [];

    public async Task<ILease> AcquireAsync(string name, CancellationToken cancel)
    {
        await turns.TakeAsync();
        lock (_lock)
        {
            return _leased.Add(name) ? new Lease(this, name) : throw new RbdBackupException(ErrorKind.Busy, $"{name} is held by another operation");
        }
    }

    /// <summary>True while a job is at work on a point, or was when it died.</summary>
    public bool IsUnfinished(PointId point)
    {
        lock (_lock)
        {
            return _objects.Values.Any(records => records.ContainsKey(StateKeys.Job(point)));
        }
    }

    public Task<string?> GetHolderAsync(string name, CancellationToken cancel) => throw new NotSupportedException();

    public IAsyncEnumerable<string> ListAsync(CancellationToken cancel)
    {
        lock (_lock)
        {
            return _objects.Keys.ToList().ToAsyncEnumerable();
        }
    }

    public async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(string name, CancellationToken cancel)
    {
        await turns.TakeAsync();
        lock (_lock)
        {
            return new Dictionary<string, byte[]>(_objects.GetValueOrDefault(name) ?? []);
        }
    }

    public Task WriteUnleasedAsync(string name, string key, byte[] value, CancellationToken cancel) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task UpdateAsync(string name, IReadOnlyDictionary<string, byte[]> set, IReadOnlyCollection<string> remove)
    {
        await turns.TakeAsync();
        lock (_lock)
        {
            var records = _objects.TryGetValue(name, out var there) ? there : _objects[name] = [];
            foreach (var (key, value) in set)
            {
                records[key] = value;
            }

            foreach (var key in remove)
            {
                records.Remove(key);
            }
        }

        await turns.TakeAsync();
    }

    /// <summary>A lease; that of a killed operation ends with it.</summary>
    private sealed class Lease(ModelState state, string name) : ILease
    {
        public string Name => name;

        public CancellationToken Lost => CancellationToken.None;

        public Task UpdateAsync(IReadOnlyDictionary<string, byte[]> set, IReadOnlyCollection<string> remove, CancellationToken cancel) =>
            state.UpdateAsync(name, set, remove);

        public Task DeleteAsync(CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask DisposeAsync()
        {
            lock (state._lock)
            {
                state._leased.Remove(name);
            }

            return ValueTask.CompletedTask;
        }
    }
}
