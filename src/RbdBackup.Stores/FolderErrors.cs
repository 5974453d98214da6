using RbdBackup.Core.Model;

namespace RbdBackup.Stores;

/// <summary>Turns what the file system reports into errors that a person can act on.</summary>
/// <param name="root">The store's folder.</param>
internal sealed class FolderErrors(string root)
{
    /// <summary>True for the exceptions that <see cref="Translate"/> understands.</summary>
    public static bool IsFileSystem(Exception e) => e is IOException or UnauthorizedAccessException;

    /// <summary>The error for <paramref name="e"/>, which happened while <paramref name="doing"/> ("writing", "listing") <paramref name="path"/>.</summary>
    public RbdBackupException Translate(Exception e, string doing, string path)
    {
        var failed = $"{doing} {path} failed: ";
        return (e, e.HResult) switch
        {
            _ when !Directory.Exists(root) => RootMissing(e),
            (FileNotFoundException or DirectoryNotFoundException, _) or (_, Posix.ENOENT) =>
                new(ErrorKind.NotFound, $"{failed}there is no such object.", null, e),
            (UnauthorizedAccessException, _) or (_, Posix.EACCES or Posix.EPERM) =>
                new(ErrorKind.Permission, $"{failed}{e.Message}", $"Give the user '{Environment.UserName}' access to {root}.", e),
            (_, Posix.EROFS) =>
                new(ErrorKind.Permission, $"{failed}the file system is mounted read-only.", "Look into the kernel's log, repair it and remount it.", e),
            (_, Posix.ENOSPC or Posix.EDQUOT) => NoSpace(failed, e),
            _ => new(ErrorKind.Unavailable, $"{failed}{e.Message}", $"Check the file system of {root} (disk, mount, kernel's log), then try again.", e),
        };
    }

    /// <summary>The error for a store whose folder is not there.</summary>
    public RbdBackupException RootMissing(Exception? inner = null) => new(
        ErrorKind.NotFound,
        $"The store's folder {root} does not exist.",
        "Mount it, or make it with mkdir: it is never made by itself, so that a missing mount does not become a backup on the root disk.",
        inner);

    private RbdBackupException NoSpace(string failed, Exception e) => new(
        ErrorKind.NoSpace,
        failed + (e.HResult == Posix.EDQUOT ? "the quota is used up." : "the disk is full."),
        $"Free some room on the file system of {root} ('rbdbackup rotate', then 'rbdbackup gc'), or enlarge it, then run the same command again.",
        e);
}
