namespace RbdBackup.Composition;

/// <summary>Which images of a pool are disks that want a backup.</summary>
internal static class PoolImages
{
    /// <summary>
    /// False for what Nova makes anew (swap, config drive, rescue), for what Cinder is about to delete, and for what a restore has on the side.
    /// </summary>
    public static bool IsDisk(string name) =>
        !name.EndsWith("_disk.swap", StringComparison.Ordinal) && !name.EndsWith("_disk.config", StringComparison.Ordinal)
        && !name.EndsWith(".rescue", StringComparison.Ordinal) && !name.EndsWith(".deleted", StringComparison.Ordinal)
        && !name.StartsWith("rbdbackup.", StringComparison.Ordinal);
}
