using System.Diagnostics;

namespace RbdBackup.Core.Jobs;

/// <summary>
/// Places between two steps where a test has the process killed: <c>RBDBACKUP_KILL_AT=NAME</c> or <c>NAME:N</c> for the N-th time that it is passed. The process ends
/// there by SIGKILL, as in a power failure, with nothing tidied up. Without the variable a checkpoint does nothing.
/// </summary>
public static class Checkpoints
{
    private static readonly string[]? Wanted = Environment.GetEnvironmentVariable("RBDBACKUP_KILL_AT")?.Split(':');
    private static int _passed;

    /// <summary>Passes a checkpoint.</summary>
    public static void Pass(string name)
    {
        if (Wanted?[0] == name && Interlocked.Increment(ref _passed) == (Wanted.Length > 1 ? int.Parse(Wanted[1]) : 1))
        {
            Process.GetCurrentProcess().Kill();
        }
    }
}
