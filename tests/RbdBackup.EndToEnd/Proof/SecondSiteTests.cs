using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Difference;

namespace RbdBackup.EndToEnd.Proof;

/// <summary>A second site, a machine that has never seen the repository, and the repository as a whole, by the commands, in folders and in radosgw.</summary>
public sealed class SecondSiteTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 8 * Mib;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_machine_that_has_never_seen_the_repository_restores_from_the_store_alone(bool s3)
    {
        var url = s3 ? $"s3://{Mini.S3Bucket}/{Mini.NewName()}" : null;
        await using var scene = new Scene(await mini.CreateAsync(Size), Store(url));
        await scene.Image.FillAsync(0, 3 * Mib, 1);
        await scene.BackupAsync();
        await scene.Image.FillAsync(Mib, 100_000, 2);
        await scene.BackupAsync();
        var (point, content) = scene.Points[^1];
        await scene.Image.DisposeAsync();

        // Another home, another configuration, an RBD namespace and a state namespace in which nothing is: all that is known is the store's address.
        var space = Mini.NewName();
        await Tool.RbdAsync("namespace", "create", $"vms/{space}");
        try
        {
            using var machine = new Sandbox([.. Store(url ?? $"file://{scene.Sandbox.StoreFolder}"), $"ceph.state_namespace={space}", "ceph.restore_user=client.admin", "ceph.user=client.admin"]);
            var home = new Dictionary<string, string> { ["HOME"] = machine.Folder, ["XDG_CACHE_HOME"] = Path.Combine(machine.Folder, "cache"), ["XDG_CONFIG_HOME"] = Path.Combine(machine.Folder, "config") };
            await using var target = mini.Existing(new ImageSpec("vms", space, "restored"));
            using (var process = machine.Start(home, "restore", point, "--to", $"{target}"))
            {
                var error = process.StandardError.ReadToEndAsync();
                await process.WaitForExitAsync();
                Assert.True(process.ExitCode == 0, await error);
            }

            Scene.AssertSame(content, await target.ReadAsync(), "the image on the new machine");
            Assert.Equal(2, (await machine.DoAsync("list")).GetArrayLength());
            Assert.Equal(2, (await machine.DoAsync("verify", "--all", "--data")).GetProperty("ok").GetInt32());
            var next = await machine.DoAsync("backup", "image", $"{target}");
            Assert.Equal(("increment", point), (next.GetProperty("kind").GetString(), next.GetProperty("base").GetString()));
        }
        finally
        {
            await Tool.BashAsync("rados --name client.admin --pool rbdbackup --namespace \"$1\" ls | xargs -r -n1 rados --name client.admin --pool rbdbackup --namespace \"$1\" rm", space);
            await Tool.RbdAsync("namespace", "remove", $"vms/{space}");
        }
    }

    [Fact]
    public async Task An_empty_cluster_gets_its_disks_back_from_the_store_alone()
    {
        await using var scene = new Scene(await mini.CreateAsync(Size));
        await scene.Image.FillAsync(0, 3 * Mib, 1);
        await scene.BackupAsync();
        await scene.Image.FillAsync(Mib, 100_000, 2);
        await scene.BackupAsync();
        var (point, content) = scene.Points[^1];

        await using var other = await EmptyCluster.StartAsync();
        using var machine = new Sandbox(
        [
            .. Store($"file://{scene.Sandbox.StoreFolder}"), $"ceph.conf={other.CephConf}", $"ceph.user={Mini.BackupUser}", $"ceph.restore_user={Mini.RestoreUser}",
        ]);
        await machine.DoAsync("restore", point, "--to", "vms/restored");
        var restored = Path.Combine(machine.Folder, "restored");
        await Tool.RunAsync("rbd", "--conf", other.CephConf, "--name", "client.admin", "export", "vms/restored", restored, "--no-progress");
        Scene.AssertSame(content, await File.ReadAllBytesAsync(restored), "the image in the other cluster");

        var next = await machine.DoAsync("backup", "image", "vms/restored");
        Assert.Equal(("increment", point), (next.GetProperty("kind").GetString(), next.GetProperty("base").GetString()));
    }

    [Fact]
    public async Task A_copy_in_another_store_restores_without_the_first_and_verifies()
    {
        await using var scene = new Scene(await mini.CreateAsync(Size));
        await scene.Image.FillAsync(0, 3 * Mib, 1);
        await scene.BackupAsync();
        await scene.Image.FillAsync(Mib, 100_000, 2);
        await scene.BackupAsync();
        var url = $"s3://{Mini.S3Bucket}/{Mini.NewName()}";
        using var site = new Sandbox(Store(url));

        var copied = await scene.Sandbox.DoAsync("copy", "--all", "--to-config", site.ConfigFile);
        Assert.Equal(url.TrimEnd('/'), copied.GetProperty("to").GetString()!.TrimEnd('/'));
        Assert.All(copied.GetProperty("points").EnumerateArray(), p => Assert.Equal("copied", p.GetProperty("state").GetString()));
        var again = await scene.Sandbox.DoAsync("copy", "--all", "--to-config", site.ConfigFile);
        Assert.Equal(0, again.GetProperty("objects").GetInt64());

        Directory.Delete(scene.Sandbox.StoreFolder, recursive: true);
        Assert.Equal(2, (await site.DoAsync("verify", "--all", "--data")).GetProperty("ok").GetInt32());
        await using var target = mini.Target();
        await site.DoAsync("restore", scene.Points[^1].Point, "--to", $"{target}");
        Scene.AssertSame(scene.Points[^1].Content, await target.ReadAsync(), "the image from the copy");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_repository_is_made_looked_at_and_checked(bool s3)
    {
        await using var scene = new Scene(await mini.CreateAsync(Size), Store(s3 ? $"s3://{Mini.S3Bucket}/{Mini.NewName()}" : null));
        var made = await scene.Sandbox.DoAsync("repo", "init");
        Assert.False(made.GetProperty("existed").GetBoolean());
        Assert.Contains(made.GetProperty("probes").EnumerateArray(), p => p.GetProperty("probe").GetString() == "conditional write" && p.GetProperty("outcome").GetString() == "good");
        Assert.Equal(made.GetProperty("id").GetString(), (await scene.Sandbox.DoAsync("repo", "init")).GetProperty("id").GetString());

        await scene.Image.FillAsync(0, Mib, 1);
        await scene.BackupAsync();
        var check = await scene.Sandbox.DoAsync("repo", "check");
        Assert.Equal((0, 1, 0), (check.GetProperty("finding_count").GetInt32(), check.GetProperty("points").GetInt32(), check.GetProperty("orphans").GetInt32()));
        var info = await scene.Sandbox.DoAsync("repo", "info");
        Assert.Equal(made.GetProperty("id").GetString(), info.GetProperty("id").GetString());
        Assert.Equal(scene.Points[0].Point, info.GetProperty("last_points")[0].GetProperty("id").GetString());
        Assert.Equal(info.GetProperty("stored_bytes").GetInt64(), info.GetProperty("referred_bytes").GetInt64());

        if (!s3)
        {
            File.Delete(Directory.GetFiles(scene.Sandbox.StoreFolder, "index.*", SearchOption.AllDirectories).Single());
            Assert.Equal((int)ErrorKind.Corrupt, (await scene.Sandbox.RunAsync("repo", "check", "--repair")).ExitCode);
        }
    }

    private static string[] Store(string? url) => url is null ? [] :
    [
        $"store.url={url}", $"store.s3_endpoint_url={Mini.S3Url}", $"store.s3_access_key={Mini.Setting("AWS_ACCESS_KEY_ID")}",
        $"store.s3_secret_key={Mini.Setting("AWS_SECRET_ACCESS_KEY")}",
    ];
}
