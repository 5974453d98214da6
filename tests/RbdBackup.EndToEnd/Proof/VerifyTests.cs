using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.EndToEnd.Difference;

namespace RbdBackup.EndToEnd.Proof;

/// <summary><c>rbdbackup verify</c> on the real cluster: against the source, and by restoring.</summary>
public sealed class VerifyTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Size = 20 * Mib;

    [Theory]
    [InlineData("--quick")]
    [InlineData("--data")]
    [InlineData("--source")]
    [InlineData("--restore")]
    public async Task Good_points_are_verified_and_list_and_show_say_so(string how)
    {
        await using var scene = await BeginAsync();
        var last = scene.Points[^1].Point;
        var all = await scene.Sandbox.DoAsync("verify", "--all", how);
        Assert.Equal(0, all.GetProperty("damaged").GetInt32() + all.GetProperty("failed").GetInt32());

        // Of a chain only the newest point's snapshot is still on the image.
        Assert.Equal(how == "--source" ? 1 : 2, all.GetProperty("ok").GetInt32());
        var listed = (await scene.Sandbox.DoAsync("list")).EnumerateArray().Single(p => p.GetProperty("id").GetString() == last);
        Assert.True(listed.GetProperty("verified_ok").GetBoolean());
        Assert.Equal(how[2..], listed.GetProperty("verified_kind").GetString());
        var shown = await scene.Sandbox.DoAsync("show", last);
        Assert.Equal(how[2..], shown.GetProperty("verified_kind").GetString());
        Assert.Equal(JsonValueKind.String, shown.GetProperty("verified_at").ValueKind);
        Assert.Empty(await ScratchAsync());
    }

    [Theory]
    [InlineData("--data")]
    [InlineData("--restore")]
    public async Task A_flipped_bit_in_a_segment_is_found_named_and_kept(string how)
    {
        await using var scene = await BeginAsync();
        var point = scene.Points[^1].Point;
        var segment = Directory.GetFiles(Path.Combine(scene.Sandbox.StoreFolder, "data", point), "0*").Single();
        var bytes = await File.ReadAllBytesAsync(segment);
        bytes[bytes.Length / 3] ^= 4;
        await File.WriteAllBytesAsync(segment, bytes);

        var result = await scene.Sandbox.RunAsync("verify", "--all", how);
        Assert.Equal((int)ErrorKind.Corrupt, result.ExitCode);
        Assert.Equal((1, 1), (result.Json.GetProperty("ok").GetInt32(), result.Json.GetProperty("damaged").GetInt32()));
        Assert.Contains(Path.GetFileName(segment), result.Error, StringComparison.Ordinal);
        var listed = (await scene.Sandbox.DoAsync("list")).EnumerateArray().Single(p => p.GetProperty("id").GetString() == point);
        Assert.False(listed.GetProperty("verified_ok").GetBoolean());
        Assert.Empty(await ScratchAsync());
    }

    [Fact]
    public async Task What_the_diff_left_out_is_found_by_comparing_with_the_source()
    {
        await using var scene = await BeginAsync();
        var image = scene.Image;

        // The point holds what the image was; the snapshot that it is compared with holds more, as if a map had hidden a change: a revision of the point with that snapshot's id.
        await image.FillAsync(13 * Mib, 5000, 9);
        var later = await image.SnapshotAsync("later");
        var folder = Path.Combine(scene.Sandbox.StoreFolder, "points");
        var manifest = Directory.GetFiles(folder, $"{scene.Points[^1].Point}.*", SearchOption.AllDirectories).Single();
        Forge.Snapshot(manifest, later);

        var whole = await scene.Sandbox.RunAsync("verify", scene.Points[^1].Point, "--source");
        Assert.Equal((int)ErrorKind.Corrupt, whole.ExitCode);
        var finding = whole.Json.GetProperty("points")[0].GetProperty("findings")[0];
        Assert.Contains($"bytes {13 * Mib} to {(13 * Mib) + 5000}", finding.GetProperty("where").GetString(), StringComparison.Ordinal);
        Assert.Contains("which has nothing there", finding.GetProperty("what").GetString(), StringComparison.Ordinal);

        // Five parts of 4 MiB: a sample of one finds it on some days, and never anything else.
        var found = 0;
        for (var day = 0; day < 20; day++)
        {
            scene.Sandbox.Ahead = TimeSpan.FromDays(day);
            var sampled = await scene.Sandbox.RunAsync("verify", scene.Points[^1].Point, "--source", "--sample", "20");
            found += sampled.ExitCode == (int)ErrorKind.Corrupt ? 1 : 0;
        }

        Assert.InRange(found, 1, 19);
    }

    [Fact]
    public async Task A_snapshot_that_is_gone_can_t_be_compared_with_and_says_so()
    {
        await using var scene = await BeginAsync();
        var result = await scene.Sandbox.RunAsync("verify", scene.Points[0].Point, "--source");
        Assert.Equal((int)ErrorKind.NotFound, result.ExitCode);
        Assert.Contains("no longer on the image", result.Error, StringComparison.Ordinal);
        Assert.Equal("skipped", result.Json.GetProperty("points")[0].GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("verify.recorded")]
    [InlineData("verify.made")]
    [InlineData("verify.filled")]
    [InlineData("verify.removed")]
    public async Task A_killed_verification_leaves_a_scratch_image_that_the_next_one_sweeps(string at)
    {
        await using var scene = await BeginAsync("ceph.lease_duration=5s");
        using (var killed = scene.Sandbox.Start(new Dictionary<string, string> { ["RBDBACKUP_KILL_AT"] = at }, "verify", scene.Points[^1].Point, "--restore"))
        {
            await killed.WaitForExitAsync();
            Assert.Equal(137, killed.ExitCode);
        }

        // The dead process's lease and watch lapse.
        for (var tries = 60; ; tries--)
        {
            var again = await scene.Sandbox.RunAsync("verify", scene.Points[^1].Point, "--restore");
            if (again.ExitCode == 0 && (await ScratchAsync()).Count == 0)
            {
                break;
            }

            Assert.True(tries > 0, again.Error + again.Output);
            await Task.Delay(1000);
        }
    }

    [Fact]
    public async Task Options_that_do_not_go_together_are_refused()
    {
        using var sandbox = new Sandbox();
        foreach (var wrong in new[] { "verify", "verify --all --quick --data", "verify --all --sample 5", "verify --all --source --sample 0", "verify --all --image vms/x", "verify --all --scratch vms" })
        {
            Assert.Equal((int)ErrorKind.Usage, (await sandbox.RunAsync(wrong.Split(' '))).ExitCode);
        }
    }

    private static async Task<List<string>> ScratchAsync() =>
        [.. (await Tool.RbdAsync("ls", "vms")).Split('\n').Where(n => n.EndsWith(".verify", StringComparison.Ordinal))];

    private async Task<Scene> BeginAsync(params string[] settings)
    {
        var scene = new Scene(await mini.CreateAsync(Size, Mini.Layout(20)), settings);
        await scene.Image.FillAsync(Mib / 2, 3 * Mib, 1);
        await scene.BackupAsync();
        await scene.Image.FillAsync(2 * Mib, 600_000, 2);
        await scene.Image.ZeroAsync(Mib, 300_000);
        await scene.IncrementAsync();
        return scene;
    }
}
