using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>The rules that concern more than one value, or more than a value's syntax.</summary>
internal static class SettingsRules
{
    /// <summary>What is wrong, one line for each.</summary>
    public static IEnumerable<string> Check(RbdBackupSettings settings)
    {
        var (ceph, repository, store) = (settings.Ceph, settings.Repository, settings.Store);
        (bool Wrong, string Message)[] rules =
        [
            (!ceph.SnapshotName.Contains("{point}", StringComparison.Ordinal),
                $"[ceph] snapshot_name: '{ceph.SnapshotName}' does not hold {{point}}; without it names are not unique"),
            (!ceph.VolumeSnapshotName.Contains("{point}", StringComparison.Ordinal),
                $"[ceph] volume_snapshot_name: '{ceph.VolumeSnapshotName}' does not hold {{point}}; without it names are not unique"),
            (repository.FrameSize > repository.SegmentSize,
                "[repository] frame_size is greater than segment_size; a segment holds whole frames"),
            (repository.ZeroRunMin % 4096 != 0, "[repository] zero_run_min is not a multiple of 4KiB"),
            (store.S3AccessKey is null != store.S3SecretKey is null,
                "[store] s3_access_key and s3_secret_key go together: set both or neither"),
            (new[] { settings.Encryption.KeyFile, settings.Encryption.KeyEnv, settings.Encryption.KeyCommand }.Count(s => s is not null) > 1,
                "[encryption] key_file, key_env and key_command: more than one is set; choose one"),
            (settings.Rotation.Grace < settings.Jobs.Deadline + TimeSpan.FromHours(1),
                "[rotation] grace must be longer than [jobs] deadline by an hour at least; else gc could delete what a running job stored"),
        ];
        return rules.Where(r => r.Wrong).Select(r => r.Message).Concat(settings.Policies.SelectMany(p => CheckPolicy(p.Key, p.Value)));
    }

    private static IEnumerable<string> CheckPolicy(string name, PolicySettings policy)
    {
        if (name == "none" && policy.Enabled)
        {
            yield return "[policy:none] is the policy of what shall have no backups and can't be enabled; choose another name";
        }

        foreach (var image in policy.Image.Where(i => !ImageSpec.TryParse(i, out _)))
        {
            yield return $"[policy:{name}] image: '{image}' does not name an image; pool/name or pool/namespace/name does";
        }
    }
}
