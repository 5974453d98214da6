using System.Diagnostics;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Compute;

namespace RbdBackup.Servers;

/// <summary>
/// A server's guest through the libvirt of its host, by <c>virsh</c>. File systems are frozen by a process in a session of its own, which thaws them as soon as its standard
/// input ends, because we say so or because we died, and after a time whatever happens; signals do not stop it.
/// </summary>
/// <param name="uri">The URI, with <c>{host}</c>.</param>
internal sealed class LibvirtGuest(string uri)
{
    // $1: the URI, $2: the domain, $3: seconds.
    private const string Freezer = """
        trap '' TERM INT HUP
        thaw() {
            n=0
            until timeout -s KILL 15 virsh -q -c "$1" domfsthaw "$2" </dev/null >&2; do
                n=$((n + 1))
                [ "$n" -lt "$3" ] || return 1
                sleep 1
            done
        }
        if [ "$3" = thaw ]; then thaw "$1" "$2" 3 && echo thawed; exit; fi
        if ! timeout -s KILL "$3" virsh -q -c "$1" domfsfreeze "$2" </dev/null >&2; then
            thaw "$1" "$2" 2
            exit 1
        fi
        echo frozen
        timeout -s KILL "$3" cat >/dev/null
        late=$?
        thaw "$1" "$2" 60 || { echo stuck; exit 1; }
        if [ "$late" = 0 ]; then echo thawed; else echo late; fi
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>libvirt's description of the server, without secrets; null where it can't be had.</summary>
    public async Task<string?> DescribeAsync(Server server, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        using var process = Start("virsh", ["-q", "-c", UriOf(server.Host), "dumpxml", server.Id]);
        try
        {
            process.StandardInput.Close();
            var xml = await process.StandardOutput.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return process.ExitCode == 0 ? xml : null;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            End(process);
        }
    }

    /// <summary>Freezes the guest's file systems until the result is disposed, or the time is over.</summary>
    /// <exception cref="RbdBackupException">Unavailable: it can't be; nothing is frozen then.</exception>
    public async Task<FrozenGuest> FreezeAsync(string server, string? host, TimeSpan limit, CancellationToken cancel)
    {
        var process = Start("setsid", ["sh", "-c", Freezer, "sh", UriOf(host), server, $"{Math.Ceiling(limit.TotalSeconds):0}"]);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var guest = new FrozenGuest(process, server);
        try
        {
            return await process.StandardOutput.ReadLineAsync(cancel) == "frozen"
                ? guest
                : throw new RbdBackupException(
                    ErrorKind.Unavailable, $"the file systems of server {server} can't be frozen: {(await errors).ReplaceLineEndings(" ").Trim()}",
                    "Is the QEMU agent running in the guest, and does its image have hw_qemu_guest_agent=yes?");
        }
        catch
        {
            await guest.DisposeAsync();
            throw;
        }
    }

    /// <summary>Thaws what a dead run may have left frozen.</summary>
    /// <exception cref="RbdBackupException">Unavailable: the guest could not be reached.</exception>
    public async Task ThawAsync(string server, string? host, CancellationToken cancel)
    {
        using var process = Start("setsid", ["sh", "-c", Freezer, "sh", UriOf(host), server, "thaw"]);
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        if (await process.StandardOutput.ReadLineAsync(cancel) != "thawed")
        {
            throw new RbdBackupException(
                ErrorKind.Unavailable, $"the file systems of server {server} can't be thawed: {(await errors).ReplaceLineEndings(" ").Trim()}",
                $"On its host: 'virsh domfsthaw {server}'.");
        }
    }

    private string UriOf(string? host) => uri.Replace("{host}", host ?? "", StringComparison.Ordinal);

    private static Process Start(string command, string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            return Process.Start(start) ?? throw new InvalidOperationException($"{command} did not start");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new RbdBackupException(ErrorKind.Unavailable, $"{command} can't be started: {e.Message}", "Install libvirt-clients and util-linux, or unset [backup] libvirt_uri.", e);
        }
    }

    private static void End(Process process)
    {
        if (!process.HasExited)
        {
            process.Kill();
        }
    }
}

/// <summary>A guest whose file systems are frozen.</summary>
internal sealed class FrozenGuest(Process process, string server) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private bool _ended;

    /// <summary>Thaws it.</summary>
    /// <exception cref="RbdBackupException">Unavailable: it was thawed before, since its time was over; or it could not be.</exception>
    public async Task ThawAsync()
    {
        _ended = true;
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Patience);
        var answer = await process.StandardOutput.ReadLineAsync(limit.Token);
        if (answer != "thawed")
        {
            throw new RbdBackupException(
                ErrorKind.Unavailable,
                answer == "late" ? $"the guest of server {server} was thawed before all snapshots were there: its time was over" : $"the guest of server {server} could not be thawed",
                answer == "late" ? "Raise [backup] hold_limit, or look why snapshots take so long." : $"On its host: 'virsh domfsthaw {server}'.");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (!_ended)
            {
                await ThawAsync();
            }
        }
        catch (Exception e) when (e is RbdBackupException or OperationCanceledException)
        {
            // The error that led here is what the person needs; the process goes on trying.
        }

        process.Dispose();
    }
}
