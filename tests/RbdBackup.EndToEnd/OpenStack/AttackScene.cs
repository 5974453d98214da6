using RbdBackup.EndToEnd.Worker;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>A worker whose store has one point of each disk of tenant A's server, which a policy protects, and which no attack may change.</summary>
public sealed class AttackScene : IAsyncLifetime, IDisposable
{
    private TenantScene? _scene;
    private Sandbox? _sandbox;
    private WorkerProcess? _worker;
    private string? _snapshot;

    public Mini Mini { get; } = new();

    public string Name { get; } = $"e2e-{Guid.NewGuid():N}";

    public string Prefix => TenantScene.Prefix(Name);

    internal TenantScene Scene => _scene!;

    internal Sandbox Sandbox => _sandbox!;

    internal WorkerProcess Worker => _worker!;

    /// <summary>A snapshot that tenant A made of its volume, and did not ask a backup of.</summary>
    internal string Snapshot => _snapshot!;

    public Task InitializeAsync() => Mini.InitializeAsync();

    /// <summary>Starts the worker and has tenant A protect its server, at the first attack.</summary>
    internal async Task UpAsync(TenantScene scene)
    {
        if (_worker is not null)
        {
            return;
        }

        _scene = scene;
        await scene.ResetAsync();
        _snapshot = await scene.SnapshotAsync();
        _sandbox = new Sandbox(TenantScene.Settings(Name, listens: false, "tenants.reconcile_interval=1h"));
        await scene.SetAsync($"{Prefix}_policy", "daily");
        _worker = await WorkerProcess.StartAsync(_sandbox);
        await WorkerProcess.HasPointsAsync(_sandbox, 2, _worker);
        await Tenant.UntilAsync("a quiet start", async () => (await TenantScene.MembersAsync(Mini.Admin, Name)).Count == 2);
    }

    public async Task DisposeAsync()
    {
        if (_worker is not null)
        {
            await _worker.DisposeAsync();
            await Scene.DeleteSnapshotAsync(Snapshot);
            await Scene.ResetAsync();
        }

        await Mini.DisposeAsync();
    }

    public void Dispose() => _sandbox?.Dispose();
}
