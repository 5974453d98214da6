using RbdBackup.Ceph;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.OpenStack;
using RbdBackup.EndToEnd.OpenStack.Servers;
using RbdBackup.EndToEnd.Worker;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.EndToEnd.Clusters;

/// <summary>A server's disk in one cluster, and what a migration left under the same name in another: the server's host says which of the two it is.</summary>
[Trait("Needs", "OpenStack")]
public sealed class HostTests(HostScene scene) : IClassFixture<HostScene>
{
    private readonly string _name = $"e2e-hosts-{Guid.NewGuid():N}";

    private ImageSpec Root => scene.Root;

    private TestImage Left => scene.Left;

    private string Host => scene.Host;

    private Server Server => scene.Server;

    [Fact]
    public async Task The_host_decides_where_one_name_is_in_two_clusters()
    {
        using var looks = NewSandbox();
        Assert.Contains($"{Root}, {Left}", await RefusedAsync(looks), StringComparison.Ordinal);
        await ReportsAsync(looks, "server", "server");
        using var elsewhere = NewSandbox($"ceph.hosts=not{Host}", $"ceph:{SecondCluster.Name}.hosts={Host}x");
        Assert.Contains($"{Root}, {Left}", await RefusedAsync(elsewhere), StringComparison.Ordinal);

        using var here = NewSandbox($"ceph.hosts={Host}");
        Assert.Equal(Root.ToString(), await BackedUpAsync(here));
        await ReportsAsync(here, "server", "image");
        using var there = NewSandbox($"ceph.hosts=not{Host}", $"ceph:{SecondCluster.Name}.hosts={Host[..^1]}?");
        Assert.Equal(Left.ToString(), await BackedUpAsync(there));
        await ReportsAsync(there, "image", "server");

        using var both = NewSandbox("ceph.hosts=*", $"ceph:{SecondCluster.Name}.hosts={Host[..1]}*");
        Assert.Contains($"compute host {Host} is named for 2 clusters", await RefusedAsync(both), StringComparison.Ordinal);
        using var twice = NewSandbox($"ceph.hosts={Host}", $"ceph:{SecondCluster.Name}.hosts={Host}");
        Assert.Equal((int)ErrorKind.Usage, (await twice.RunAsync("backup", "server", Server.Id)).ExitCode);
    }

    [Fact]
    public async Task A_point_goes_back_onto_the_disk_in_the_hosts_cluster()
    {
        using var sandbox = NewSandbox($"ceph.hosts={Host}", $"ceph.restore_user={Mini.WorkerUser}");
        var left = (await Left.InfoAsync()).ImageId;

        // Other tests' snapshots are not of this repository.
        await ServerScene.ReleaseAsync(Root);
        var point = (await sandbox.DoAsync("backup", "server", Server.Id)).GetProperty("id").GetString()!;
        var result = await sandbox.DoAsync("restore", point, "--to-server", Server.Id);
        await Tool.RbdAsync("trash", "rm", "--no-progress", "--force", $"vms/{result.GetProperty("replaced_image_id").GetString()}");
        await scene.Tenant.UntilAsync(Server.Id, "ACTIVE");
        Assert.Equal(left, (await Left.InfoAsync()).ImageId);
    }

    [Fact]
    public async Task A_new_server_is_made_of_a_point_in_the_hosts_cluster()
    {
        using var sandbox = NewSandbox($"ceph.hosts={Host}", $"ceph.restore_user={Mini.WorkerUser}");
        await using var service = Tenant.Service();
        var before = await scene.Clusters.Admin.ListImagesAsync("vms", "", default);
        await ServerScene.ReleaseAsync(Root);
        var point = (await sandbox.DoAsync("backup", "server", Server.Id)).GetProperty("id").GetString()!;
        var result = await sandbox.DoAsync("restore", point, "--to-new-server", _name, "--project", Mini.Setting("RBDBACKUP_TEST_SERVICE_PROJECT"));
        var made = result.GetProperty("server").GetString()!;
        service.Own(server: made);
        try
        {
            await service.UntilAsync(made, "ACTIVE");
            await new Guest(made).UpAsync();
            Assert.Equal([$"{made}_disk"], await ServerScene.ImagesAsync(made));
            Assert.Equal(before, await scene.Clusters.Admin.ListImagesAsync("vms", "", default));
        }
        finally
        {
            await ServerScene.ReleaseAsync(new ImageSpec("vms", $"{made}_disk"));
        }
    }

    [Fact]
    public async Task An_aggregate_of_Novas_stands_for_its_hosts()
    {
        using var sandbox = NewSandbox($"ceph:{SecondCluster.Name}.aggregates={_name}");
        await RefusedAsync(sandbox);
        await Cli("aggregate", "create", _name);
        try
        {
            await RefusedAsync(sandbox);
            await Cli("aggregate", "add", "host", _name, Host);
            try
            {
                Assert.Equal(Left.ToString(), await BackedUpAsync(sandbox));
                using var both = NewSandbox($"ceph:{SecondCluster.Name}.aggregates={_name}", $"ceph.hosts={Host}");
                Assert.Contains($"[ceph:{SecondCluster.Name}] aggregates ({_name})", await RefusedAsync(both), StringComparison.Ordinal);
            }
            finally
            {
                await Cli("aggregate", "remove", "host", _name, Host);
            }
        }
        finally
        {
            await Cli("aggregate", "delete", _name);
        }

        static Task<string> Cli(params string[] arguments) => TenantScene.CliOfServiceAsync(arguments);
    }

    [Fact]
    public async Task A_worker_protects_the_disk_of_the_hosts_cluster_whether_or_not_the_other_answers()
    {
        var before = (await Left.InfoAsync()).Snapshots.Count;
        using var sandbox = scene.Clusters.NewSandbox(TenantScene.Settings(_name, listens: false, $"ceph.hosts={Host}", "ceph.call_deadline=3s", "tenants.reconcile_interval=2s"));
        await using var worker = await WorkerProcess.StartAsync(sandbox);
        await SetAsync("policy", "daily");
        await WorkerProcess.HasPointsAsync(sandbox, 1, worker);
        await scene.Clusters.WhileDownAsync(async () =>
        {
            await SetAsync("now", "1");
            await WorkerProcess.HasPointsAsync(sandbox, 2, worker);
        });
        Assert.All(await WorkerProcess.PointsAsync(sandbox), p => Assert.Equal(Root.ToString(), p.GetProperty("image").GetString()));
        await using var admin = await CephCluster.ConnectAsync(new CephOptions { ConfFile = Mini.CephConf, User = "client.admin" }, default);
        Assert.Equal(Root.ToString(), Assert.Single(await TenantScene.MembersAsync(admin, _name)).Key);
        Assert.Equal(before, (await Left.InfoAsync()).Snapshots.Count);

        Task SetAsync(string key, string value) =>
            scene.Tenant.Cloud.Compute.SetMetadataAsync(Server.Id, new Dictionary<string, string> { [$"{TenantScene.Prefix(_name)}_{key}"] = value }, default);
    }

    [Fact]
    public async Task A_host_that_is_named_for_a_cluster_without_its_servers_disk_is_an_error_that_ends_no_protection()
    {
        using var sandbox = scene.Clusters.NewSandbox(TenantScene.Settings(
            _name, listens: false, "tenants.reconcile_interval=2s", "tenants.write_status=true", $"ceph.hosts={Host}", $"ceph:{SecondCluster.Name}.hosts=not{Host}",
            $"ceph:{SecondCluster.Name}.vms_pool=volumes"));
        await scene.Tenant.Cloud.Compute.SetMetadataAsync(Server.Id, new Dictionary<string, string> { [$"{TenantScene.Prefix(_name)}_policy"] = "daily" }, default);
        await StatusAsync("ok ");
        var right = await File.ReadAllTextAsync(sandbox.ConfigFile);
        await File.WriteAllTextAsync(sandbox.ConfigFile, right.Replace($"hosts = {Host}", "hosts = another", StringComparison.Ordinal).Replace($"hosts = not{Host}", $"hosts = {Host}", StringComparison.Ordinal));

        var missing = $"{SecondCluster.Name}:volumes/{Root.Name}";
        var why = $"no image {Root.Name} in pool {SecondCluster.Name}:volumes, and compute host {Host} is named for that cluster by [ceph:{SecondCluster.Name}] hosts ({Host})";
        var log = await StatusAsync($"error: a disk was not found; not backed up: {Root.Name} (not found in the storage that is backed up: ask the operator)");
        Assert.Contains($"{missing} is skipped: {why}", log, StringComparison.Ordinal);
        var lines = (await sandbox.DoAsync("report")).EnumerateArray().ToList();
        Assert.Equal(why, lines.Single(l => l.GetProperty("image").GetString() == missing).GetProperty("reason").GetString());
        Assert.Equal("protected", lines.Single(l => l.GetProperty("image").GetString() == Root.ToString()).GetProperty("state").GetString());

        await File.WriteAllTextAsync(sandbox.ConfigFile, right);
        Assert.DoesNotContain("is protected by policy", await StatusAsync("ok "), StringComparison.Ordinal);

        async Task<string> StatusAsync(string begins)
        {
            await using var worker = await WorkerProcess.StartAsync(sandbox);
            await WorkerProcess.UntilAsync($"the status '{begins}'", async () => await ReadAsync() is { } status && status.StartsWith(begins, StringComparison.Ordinal), worker);
            return worker.Log;
        }

        async Task<string?> ReadAsync() =>
            (await scene.Tenant.Cloud.Compute.GetServerAsync(Server.Id, default)).Metadata!.GetValueOrDefault($"{TenantScene.Prefix(_name)}_status");
    }

    private Sandbox NewSandbox(params string[] settings) =>
        scene.Clusters.NewSandbox([.. Tenant.Settings(), $"ceph.user={Mini.WorkerUser}", $"ceph.state_namespace={_name}", "ceph.call_deadline=2m", .. settings]);

    private async Task<string> BackedUpAsync(Sandbox sandbox)
    {
        var point = await sandbox.DoAsync("backup", "server", Server.Id);
        return Assert.Single(point.GetProperty("disks").EnumerateArray()).GetProperty("image").GetString()!;
    }

    private async Task<string> RefusedAsync(Sandbox sandbox)
    {
        var refused = await sandbox.RunAsync("backup", "server", Server.Id);
        Assert.True(refused.ExitCode == (int)ErrorKind.Refused, $"{refused.ExitCode}: {refused.Error}");
        return refused.Error;
    }

    /// <summary>What the report takes the two images for; it needs a repository.</summary>
    private async Task ReportsAsync(Sandbox sandbox, string root, string left)
    {
        await sandbox.RunAsync("repo", "init");
        var lines = (await sandbox.DoAsync("report")).EnumerateArray().ToList();
        Assert.Equal([root, left], new[] { Root, Left.Spec }.Select(i => lines.Single(l => l.GetProperty("image").GetString() == i.ToString()).GetProperty("kind").GetString()));
    }
}
