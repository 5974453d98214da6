using System.Runtime.InteropServices;

namespace RbdBackup.Stores.Tests;

/// <summary>Runs what starts on one thread with the file rights of the user nobody, as root itself is refused nothing.</summary>
internal static class Nobody
{
    private const uint NobodysId = 65534;

    /// <summary>What <paramref name="act"/> failed with. Threads that it starts inherit the rights; the thread pool's do not have them.</summary>
    public static Exception? Run(Func<Task> act)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            _ = SetFileUser(NobodysId);
            failure = Record.ExceptionAsync(act).GetAwaiter().GetResult();
        });
        thread.Start();
        thread.Join();
        return failure;
    }

    [DllImport("libc", EntryPoint = "setfsuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetFileUser(uint user);
}
