using System.Text.Json;
using RbdBackup.Ceph.Native;
using RbdBackup.Core.Model;

namespace RbdBackup.Ceph;

/// <content>How much room there is.</content>
public sealed partial class CephCluster
{
    /// <inheritdoc/>
    public Task<long> GetFreeBytesAsync(string pool, CancellationToken cancel) =>
        Calls.RunAsync("rados_mon_command", $"pool {pool}", () => FreeBytes(MonCommand("""{"prefix":"df","format":"json"}"""u8), Within(pool)), cancel);

    /// <summary>What <c>ceph df</c> calls MAX AVAIL.</summary>
    private static long FreeBytes(byte[] df, string pool)
    {
        using var document = JsonDocument.Parse(df);
        foreach (var entry in document.RootElement.GetProperty("pools").EnumerateArray())
        {
            if (entry.GetProperty("name").GetString() == pool)
            {
                return entry.GetProperty("stats").GetProperty("max_avail").GetInt64();
            }
        }

        throw new RbdBackupException(ErrorKind.NotFound, $"there is no pool {pool}", "'ceph osd pool ls' shows the pools.");
    }

    private unsafe byte[] MonCommand(ReadOnlySpan<byte> json)
    {
        byte* output = null, status = null;
        try
        {
            fixed (byte* command = json)
            {
                var part = command;
                var result = Rados.rados_mon_command(_handle, &part, 1, null, 0, out output, out var length, out status, out _);
                ThrowHelper.Check(result, "rados_mon_command", "the cluster");
                return new ReadOnlySpan<byte>(output, (int)length).ToArray();
            }
        }
        finally
        {
            Rados.rados_buffer_free(output);
            Rados.rados_buffer_free(status);
        }
    }
}
