namespace RbdBackup.EndToEnd.OpenStack.Servers;

/// <summary>The ext4 on a raw disk, or on its second partition, looked at with e2fsprogs.</summary>
internal static class FileSystem
{
    /// <summary>True where its journal would be replayed before it is mounted.</summary>
    public static async Task<bool> NeedsRecoveryAsync(string disk) =>
        (await Tool.RunAsync("dumpe2fs", "-h", await PartAsync(disk))).Split('\n').Single(l => l.StartsWith("Filesystem features:", StringComparison.Ordinal))
            .Contains("needs_recovery", StringComparison.Ordinal);

    /// <summary>Checks it, without changing anything; it must be clean.</summary>
    public static async Task CheckAsync(string disk) => await Tool.RunAsync("e2fsck", "-fn", await PartAsync(disk));

    /// <summary>A file's content, after the journal was replayed, as a guest would.</summary>
    public static async Task<string> ReadAsync(string disk, string path)
    {
        var part = await PartAsync(disk);
        await Tool.BashAsync("e2fsck -fy \"$1\" >/dev/null || [ $? = 1 ]", part);
        return await Tool.RunAsync("debugfs", "-R", $"cat {path}", part);
    }

    /// <summary>The file system in a file of its own.</summary>
    private static async Task<string> PartAsync(string disk)
    {
        var head = new byte[1200];
        await using (var file = File.OpenRead(disk))
        {
            await file.ReadExactlyAsync(head);
        }

        var isBare = head[1080] == 0x53 && head[1081] == 0xEF;
        var part = $"{disk}.part";
        if (!isBare && !File.Exists(part))
        {
            await Tool.RunAsync("dd", $"if={disk}", $"of={part}", "bs=64K", $"skip={BitConverter.ToUInt32(head, 446 + 16 + 8) * 512L}", "iflag=skip_bytes", "conv=sparse", "status=none");
        }

        return isBare ? disk : part;
    }
}
