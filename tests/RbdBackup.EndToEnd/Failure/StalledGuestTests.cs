using System.Diagnostics;

namespace RbdBackup.EndToEnd.Failure;

/// <summary>
/// A guest whose hypervisor stands still while a backup wants its snapshot. The backup fails at its deadline and can be tried again; the guest keeps its
/// lock, and writes on when it wakes.
/// </summary>
public sealed class StalledGuestTests(Mini mini) : IClassFixture<Mini>
{
    [Fact]
    public async Task A_backup_ends_at_its_deadline_and_the_guest_writes_on()
    {
        using var sandbox = new Sandbox("ceph.call_deadline=3s");
        await using var image = await mini.CreateAsync(8 << 20);
        using (var guest = await StartGuestAsync(image))
        {
            await Tool.RunAsync("kill", "-STOP", $"{guest.Id}");
            var failed = await sandbox.RunAsync("backup", "image", image.ToString());
            await Tool.RunAsync("kill", "-CONT", $"{guest.Id}");

            Assert.True(failed.ExitCode == 6, $"exit code {failed.ExitCode}: {failed.Error}");
            Assert.Contains("its lock was left alone", failed.Error, StringComparison.Ordinal);
            for (var writes = 0; writes < 100; writes++)
            {
                Assert.StartsWith("wrote", await guest.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
            }

            guest.StandardInput.Close();
            await guest.StandardOutput.ReadToEndAsync();
            await guest.WaitForExitAsync();
            Assert.Equal(0, guest.ExitCode);
        }

        // The snapshot that was given up may have come late: the next run takes it for the same point, and leaves one.
        var point = await sandbox.DoAsync("backup", "image", image.ToString());
        var snapshot = Assert.Single((await image.InfoAsync()).Snapshots).Id;
        Assert.Equal(point.GetProperty("snapshot_id").GetUInt64(), snapshot);
        Assert.Equal(await image.ReadAsync(snapshot), await sandbox.ExportFullAsync(point.GetProperty("id").GetString()!));
    }

    /// <summary>The C program that holds the image's lock and writes to it all the time; it says so for each write.</summary>
    private static async Task<Process> StartGuestAsync(TestImage image)
    {
        await Tool.RunAsync("make", "--silent", "-C", TopFolder.Path, "native");
        string[] arguments = [Mini.RestoreUser, image.Spec.Pool, image.Spec.Name];
        var start = new ProcessStartInfo(TopFolder.Of(".build/native/lock_holder"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var guest = Process.Start(start)!;
        Assert.StartsWith("ready", await guest.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
        return guest;
    }
}
