using System.Diagnostics;
using Xunit.Abstractions;

namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>What the guest feels: for how long it is held at most, and how its writes fare while its disks are backed up.</summary>
[Trait("Needs", "OpenStack")]
[Collection(ServerScene.Shared)]
public sealed class ServerHeldTests(ServerScene scene, ITestOutputHelper output)
{
    [Theory]
    [InlineData("paused")]
    [InlineData("frozen")]
    public async Task Where_a_snapshot_takes_too_long_the_guest_runs_on_and_nothing_is_stored(string consistency)
    {
        using var sandbox = ServerScene.Sandbox("backup.hold_limit=5s", "ceph.call_deadline=10s");
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);

        // The guest must not want to write to the volume, or it waits for the lock itself.
        await scene.StopCountingAsync();
        await scene.Guest.RunAsync("umount /mnt/vdb");
        try
        {
            using (var owner = await StalledOwnerAsync())
            {
                var took = Stopwatch.StartNew();
                var failed = await sandbox.RunAsync("backup", "server", scene.Server.Id, "--consistency", consistency);
                Assert.True(failed.ExitCode == 6, $"exit code {failed.ExitCode}: {failed.Error}");
                Assert.Contains($"would have been {consistency} for more than 5 s ([backup] hold_limit); it runs on", failed.Error, StringComparison.Ordinal);
                Assert.True(took.Elapsed > TimeSpan.FromSeconds(5), $"it took {took.Elapsed} only");
                Assert.Equal("ACTIVE", (await scene.Tenant.Cloud.Compute.GetServerAsync(scene.Server.Id, default)).Status);
                Assert.Equal("thawed", (await Guest.AskAsync(scene.Server.Id, "guest-fsfreeze-status", []))!.GetValue<string>());
                await scene.Guest.RunAsync("echo on >/mnt/vda/file; sync");
                await WakeAsync(owner);
            }

            Assert.Empty((await sandbox.DoAsync("list", "server", "--all")).EnumerateArray());
            Assert.Empty((await sandbox.DoAsync("list")).EnumerateArray());
        }
        finally
        {
            await scene.Guest.RunAsync("mount -t ext4 /dev/vdb /mnt/vdb");
            await scene.CountAsync();
        }

        // The snapshot that was given up may have come late: the next run clears it away.
        Assert.Equal(consistency, (await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", consistency)).GetProperty("consistency").GetString());
        Assert.Single(await ServerScene.SnapshotsAsync(scene.RootImage));
        Assert.Single(await ServerScene.SnapshotsAsync(scene.VolumeImage));
    }

    [Fact]
    public async Task The_guest_writes_on_while_its_disks_are_backed_up()
    {
        using var sandbox = ServerScene.Sandbox();
        await ServerScene.ReleaseAsync(scene.RootImage, scene.VolumeImage);
        await WriteAsync();
        await Tenant.UntilAsync("writes without a backup", async () => await WrittenAsync() >= 150);
        var before = await WrittenAsync();
        var backups = 0;
        while (backups < 3 || await WrittenAsync() < before + 150)
        {
            var from = await WrittenAsync();
            await sandbox.DoAsync("backup", "server", scene.Server.Id, "--consistency", "crash", "--full");
            Assert.True(await WrittenAsync() > from, "the guest wrote nothing while its disks were backed up");
            backups++;
        }

        var all = await EndAsync();
        var (quiet, busy) = (all[..before].Order().ToList(), all[before..].Order().ToList());
        output.WriteLine(
            $"a guest's synced writes of 4 KiB: without a backup median {At(quiet, 0.5):0.0} ms, p99 {At(quiet, 0.99):0.0} ms, longest {quiet[^1]:0.0} ms ({quiet.Count} writes); "
            + $"during {backups} full backups median {At(busy, 0.5):0.0} ms, p99 {At(busy, 0.99):0.0} ms, longest {busy[^1]:0.0} ms ({busy.Count} writes); "
            + $"ratio of medians {At(busy, 0.5) / At(quiet, 0.5):0.00}, of p99s {At(busy, 0.99) / At(quiet, 0.99):0.00}");
        Assert.True(busy[^1] < 10_000, $"a write took {busy[^1]} ms");
    }

    private static double At(List<double> sorted, double share) => sorted[(int)(share * (sorted.Count - 1))];

    /// <summary>The guest writes numbered blocks to its volume, each one synced (its disks are mounted so), and keeps when each began and was done.</summary>
    private async Task WriteAsync()
    {
        const string loop = """
            i=0
            while [ ! -e /tmp/halt ]; do
                i=$((i + 1))
                from=$EPOCHREALTIME
                printf '%04095d\n' $i >>/mnt/vdb/blocks
                echo "$from $EPOCHREALTIME" >>/tmp/took
                sleep 0.02
            done
            rm /tmp/writing
            """;
        await scene.StopCountingAsync();
        await scene.Guest.RunAsync($"rm -f /tmp/halt; touch /tmp/writing; : >/tmp/took; cat >/tmp/write <<'END'\n{loop}\nEND\nsh /tmp/write </dev/null >/dev/null 2>&1 &");
    }

    private async Task<int> WrittenAsync() => int.Parse(await scene.Guest.RunAsync("wc -l </tmp/took"));

    /// <summary>Ends it; every write must have arrived. What each took, in milliseconds. The guest counts again.</summary>
    private async Task<List<double>> EndAsync()
    {
        await scene.Guest.RunAsync("touch /tmp/halt; while [ -e /tmp/writing ]; do sleep 0.2; done");
        var times = (await scene.Guest.RunAsync("cat /tmp/took")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ').Select(decimal.Parse).ToList());
        var took = times.Select(t => (double)(t[1] - t[0]) * 1000).ToList();
        var arrived = await scene.Guest.RunAsync("sync; echo 3 >/proc/sys/vm/drop_caches; sed 's/^0*//' /mnt/vdb/blocks; rm /mnt/vdb/blocks");
        Assert.Equal(Enumerable.Range(1, took.Count), arrived.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse));
        await scene.CountAsync();
        return took;
    }

    /// <summary>A client that has the volume's lock, gives it to nobody, and stands still.</summary>
    private async Task<Process> StalledOwnerAsync()
    {
        const string script = """
            import rados, rbd, sys
            conf, pool, name = sys.argv[1:]
            with rados.Rados(conffile=conf, name='client.admin') as cluster, cluster.open_ioctx(pool) as ioctx, rbd.Image(ioctx, name) as image:
                image.lock_acquire(rbd.RBD_LOCK_MODE_EXCLUSIVE)
                print('owner', flush=True)
                sys.stdin.read()
                image.lock_release()
            """;
        var start = new ProcessStartInfo("/usr/bin/python3", ["-c", script, Mini.CephConf, scene.VolumeImage.Pool, scene.VolumeImage.Name]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        var owner = Process.Start(start)!;
        Assert.Equal("owner", await owner.StandardOutput.ReadLineAsync());
        await Tool.RunAsync("kill", "-STOP", $"{owner.Id}");
        return owner;
    }

    private static async Task WakeAsync(Process owner)
    {
        await Tool.RunAsync("kill", "-CONT", $"{owner.Id}");
        owner.StandardInput.Close();
        await owner.WaitForExitAsync();
    }
}
