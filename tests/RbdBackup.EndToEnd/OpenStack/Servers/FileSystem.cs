namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>The ext4 on a raw disk, or on its second partition, looked at with e2fsprogs.</summary>
internal static class FileSystem
{
    /// <summary>True where its journal would be replayed before it is mounted.</summary>
    public static async Task<bool> NeedsRecoveryAsync(string disk) =>
        (await Tool.RunAsync("dumpe2fs", "-h", await AtAsync(disk))).Split('\n').Single(l => l.StartsWith("Filesystem features:", StringComparison.Ordinal)).Contains("needs_recovery", StringComparison.Ordinal);

    /// <summary>Checks it, without changing anything; it must be clean.</summary>
    public static async Task CheckAsync(string disk) => await Tool.RunAsync("e2fsck", "-fn", await AtAsync(disk));

    /// <summary>A file's content, after the journal was replayed, as a guest would.</summary>
    public static async Task<string> ReadAsync(string disk, string path)
    {
        var at = await AtAsync(disk);
        await Tool.BashAsync("e2fsck -fy \"$1\" >/dev/null || [ $? = 1 ]", at);
        return await Tool.RunAsync("debugfs", "-R", $"cat {path}", at);
    }

    private static async Task<string> AtAsync(string disk)
    {
        var head = new byte[1200];
        await using var file = File.OpenRead(disk);
        await file.ReadExactlyAsync(head);
        var isBare = head[1080] == 0x53 && head[1081] == 0xEF;
        return isBare ? disk : $"{disk}?offset={BitConverter.ToUInt32(head, 446 + 16 + 8) * 512L}";
    }
}
