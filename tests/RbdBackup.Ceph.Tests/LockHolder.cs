using System.Diagnostics;

namespace RbdBackup.Ceph.Tests;

/// <summary>native/lock_holder: a client that writes to an image all the time, and so owns its exclusive lock, like a guest. It can be
/// stopped and woken.</summary>
public sealed class LockHolder : IAsyncDisposable
{
    private readonly Process _process;

    private LockHolder(Process process) => _process = process;

    public static async Task<LockHolder> StartAsync(TestImage test)
    {
        var program = await NativeTools.PathAsync("lock_holder");
        string[] arguments = [CephFixture.RestoreUser, test.Spec.Pool, test.Spec.Name];
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
        var holder = new LockHolder(Process.Start(start)!);
        Assert.StartsWith("ready", await holder._process.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
        return holder;
    }

    /// <summary>Stops it between two instructions, as a stalled hypervisor is.</summary>
    public Task StopAsync() => SignalAsync("STOP");

    public Task WakeAsync() => SignalAsync("CONT");

    /// <summary>Returns when it has written more than it can have had in its pipe: writes that were sent after the call.</summary>
    public async Task WriteOnAsync()
    {
        for (var writes = 0; writes < 100; writes++)
        {
            Assert.StartsWith("wrote", await _process.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
        }
    }

    /// <summary>Lets it close the image; its exit code says whether all its writes succeeded.</summary>
    public async Task EndAsync()
    {
        _process.StandardInput.Close();
        await _process.StandardOutput.ReadToEndAsync();
        await _process.WaitForExitAsync();
        Assert.Equal(0, _process.ExitCode);
    }

    public ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
        return ValueTask.CompletedTask;
    }

    private Task<string> SignalAsync(string signal) => Shell.RunAsync("sh", "-c", $"kill -{signal} {_process.Id}");
}
