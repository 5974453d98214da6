using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Tests.Verify;

/// <summary>Verifies a disk's points as the command does.</summary>
internal static class Verifying
{
    /// <summary>The verdicts, oldest point first; a manifest that can't be read goes to <paramref name="onDamaged"/>.</summary>
    public static async Task<List<VerifyVerdict>> DiskAsync(
        PointRepository repository, TimeProvider time, VerifyKind kind, Action<RbdBackupException>? onDamaged = null, string? disk = null)
    {
        var points = await repository.ReadDiskAsync(disk ?? TestRepository.Disk().Key, onDamaged, CancellationToken.None);
        var runner = new VerifyRunner(repository, null, null, new VerifyOptions(4, "test"), new Throttle(0, time), time);
        var verdicts = new List<VerifyVerdict>();
        foreach (var point in points)
        {
            verdicts.Add(await runner.RunAsync(point, points, new VerifyAsk(kind), IProgressReporter.None, CancellationToken.None));
        }

        return verdicts;
    }

    /// <summary>A verdict for a failed assertion.</summary>
    public static string Describe(VerifyVerdict v) => $"{v.Point.Point} {v.State} {v.Why} {string.Join(", ", v.Findings.Select(f => $"{f.Where}: {f.What}"))}";
}
