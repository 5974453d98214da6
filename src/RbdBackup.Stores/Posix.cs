using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RbdBackup.Stores;

/// <summary>The few calls of the C library that a durable folder store needs and .NET does not offer.</summary>
internal static class Posix
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EACCES = 13;
    public const int EEXIST = 17;
    public const int EINVAL = 22;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int EMLINK = 31;
    public const int ENOTSUP = 95;
    public const int EDQUOT = 122;

    private const int ReadOnlyCloseOnExec = 0x80000;
    private const int SetFlags = 4;
    private static readonly int Direct = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x10000 : 0x4000;

    /// <summary>
    /// Gives the file <paramref name="existing"/> a second name, never replacing one: <see cref="File.Move(string, string)"/> would fall back to copying.
    /// Implements: link. Returns 0 or an errno.
    /// </summary>
    public static int Link(string existing, string added) => NativeLink(existing, added) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>Makes the names in a folder durable. Implements: open, fsync, close.</summary>
    /// <exception cref="IOException">With the errno as its HResult.</exception>
    public static void SyncFolder(string path)
    {
        if (!TrySyncFolder(path))
        {
            throw Error(ENOENT, path);
        }
    }

    /// <summary>The same; false where the folder is not there.</summary>
    /// <exception cref="IOException">With the errno as its HResult.</exception>
    public static bool TrySyncFolder(string path)
    {
        using var folder = NativeOpen(path, ReadOnlyCloseOnExec);
        if (folder.IsInvalid)
        {
            return Marshal.GetLastPInvokeError() is var errno && errno == ENOENT ? false : throw Error(errno, path);
        }
        RandomAccess.FlushToDisk(folder);
        return true;
    }

    /// <summary>
    /// Turns the page cache off or on for what is written to a file next; false where the file system has no other way than the cache.
    /// Implements: fcntl(F_SETFL, O_DIRECT).
    /// </summary>
    public static bool TrySetDirect(SafeFileHandle file, bool direct) => NativeFcntl(file, SetFlags, direct ? Direct : 0) == 0;

    /// <summary>An errno in the shape in which .NET reports one.</summary>
    public static IOException Error(int errno, string path) => new($"{Marshal.GetPInvokeErrorMessage(errno)} : '{path}'", errno);

    [DllImport("libc", EntryPoint = "link", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int NativeLink(
        [MarshalAs(UnmanagedType.LPUTF8Str)] string existing, [MarshalAs(UnmanagedType.LPUTF8Str)] string added);

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern SafeFileHandle NativeOpen([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    // The third argument is a variable one in C: on x86-64 and arm64 Linux it is passed as a named one is.
    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int NativeFcntl(SafeFileHandle file, int command, int argument);
}
