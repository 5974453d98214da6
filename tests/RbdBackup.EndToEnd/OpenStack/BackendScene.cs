using System.Diagnostics;
using RbdBackup.EndToEnd.Clusters;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>
/// Cinder with two more backends, which a real <c>cinder-volume</c> of its own serves for the time of a class of tests: one has its volumes in another pool of mini's Ceph, one
/// in a second Ceph. A volume gets there by its type, or moves there when it is retyped.
/// </summary>
public sealed class BackendScene : IAsyncLifetime
{
    /// <summary>The pool of the backend that is in mini's Ceph: Nova's, which Cinder's user may write to.</summary>
    public const string Pool = "vms";

    private const string Host = "mini-backends", SecondUser = "cinder-second";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rbdbackup-backends-");
    private readonly string _name = $"backends-{Guid.NewGuid():N}";
    private readonly List<string> _types = [];
    private Process? _service;

    public SecondCluster Clusters { get; } = new();

    /// <summary>The type whose volumes are in another pool.</summary>
    public string InPool => $"{_name}-pool";

    /// <summary>The type whose volumes are in the second cluster.</summary>
    public string InCluster => $"{_name}-cluster";

    /// <summary>The type whose volumes are where they usually are.</summary>
    public string Usual => $"{_name}-usual";

    /// <summary>The backend whose volumes are in another pool, as Cinder calls it.</summary>
    public static string PoolBackend => $"{Host}@near#e2e-near";

    /// <summary>The setting that says where the backends have their volumes.</summary>
    public static string VolumePools => $"tenants.volume_pools={Host}@near={Pool}, {Host}@far={SecondCluster.Name}:volumes";

    private static string Home => Mini.Setting("MINI_HOME");

    private static string Library => TopFolder.Of("devstack/mini/lib/openstack");

    public async Task InitializeAsync()
    {
        await Clusters.InitializeAsync();
        await MakeUserAsync();
        _service = await StartAsync();
        using var admin = await CloudActions.OfAsync("SERVICE");
        foreach (var (type, backend) in new[] { (InPool, "e2e-near"), (InCluster, "e2e-far"), (Usual, "rbd") })
        {
            _types.Add(await admin.CreateTypeAsync(type, ("volume_backend_name", backend)));
        }

        await Tenant.UntilAsync("Cinder's scheduler knows the backends", async () => (await admin.BackendsAsync()).Count(b => b.StartsWith($"{Host}@", StringComparison.Ordinal)) == 2);
    }

    public async Task DisposeAsync()
    {
        try
        {
            using var admin = await CloudActions.OfAsync("SERVICE");
            foreach (var type in _types)
            {
                await admin.DeleteTypeAsync(type);
            }
        }
        finally
        {
            // Cinder keeps a type whose volume a failed test left: the service and its cluster go all the same.
            await StopAsync();
            File.Delete(Keyring(Path.GetDirectoryName(Mini.CephConf)!));
            _folder.Delete(recursive: true);
            await Clusters.DisposeAsync();
        }
    }

    private async Task StopAsync()
    {
        if (_service is not null)
        {
            await Tool.BashAsync("for p in $(grep -lszxF \"MINI_DAEMON=$1:cinder-volume-more\" /proc/[0-9]*/environ | cut -d/ -f3); do kill -KILL $p; done", Home);
            await _service.WaitForExitAsync();
            _service.Dispose();
        }
    }

    private static string Keyring(string folder) => Path.Combine(folder, $"ceph.client.{SecondUser}.keyring");

    /// <summary>A user of the second cluster's whose name is no one's in the first: Cinder knows keyrings by their users' names.</summary>
    private Task<string> MakeUserAsync() => Tool.BashAsync(
        "ceph -c \"$1\" --name client.admin auth get-or-create \"client.$2\" mon 'profile rbd' mgr 'profile rbd pool=volumes' osd 'profile rbd pool=volumes' >\"$3\"; cp \"$3\" \"$4\"",
        Clusters.CephConf, SecondUser, Keyring(Path.GetDirectoryName(Clusters.CephConf)!), Keyring(Path.GetDirectoryName(Mini.CephConf)!));

    /// <summary>Mini's configuration, with other backends over it.</summary>
    private async Task<Process> StartAsync()
    {
        var conf = Path.Combine(_folder.FullName, "backends.conf");
        await File.WriteAllTextAsync(
            conf,
            $"""
            [DEFAULT]
            host = {Host}
            enabled_backends = near, far
            {Backend("near", Mini.CephConf, Pool, "cinder")}
            rbd_secret_uuid = {(await File.ReadAllTextAsync(Path.Combine(Home, "openstack/cinder-secret-uuid"))).Trim()}
            {Backend("far", Clusters.CephConf, "volumes", SecondUser)}
            """);

        // As mini starts it, and with its mark: `mini down` ends what a killed test leaves.
        return Process.Start(new ProcessStartInfo("env",
        [
            "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", $"HOME={Home}/run", $"PYTHONPYCACHEPREFIX={Home}/run/python", $"MINI_DAEMON={Home}:cinder-volume-more",
            "unshare", "--mount", "--propagation", "private", Path.Combine(Library, "private-mounts"), Path.GetDirectoryName(Mini.CephConf)!, "/etc/ceph", "--",
            "/usr/bin/python3", "-I", Path.Combine(Library, "service.py"), "cinder-volume",
            "--config-file", $"{Home}/openstack/cinder.conf", "--config-file", conf, "--log-file", $"{Home}/log/cinder-volume-more.log",
        ]))!;
    }

    /// <summary>A backend that no volume is scheduled to but by its type: it says that nearly all of it is reserved, so the usual one has more room.</summary>
    private static string Backend(string name, string cephConf, string pool, string user) =>
        $"""

        [{name}]
        volume_driver = cinder.volume.drivers.rbd.RBDDriver
        volume_backend_name = e2e-{name}
        rbd_ceph_conf = {cephConf}
        rbd_pool = {pool}
        rbd_user = {user}
        reserved_percentage = 90
        """;
}
