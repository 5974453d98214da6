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
            (store.S3SseKmsKeyId is not null && store.S3Sse != "aws:kms", "[store] s3_sse_kms_key_id needs s3_sse = aws:kms"),
            (store.SwiftAuthUrl is not null && (store.SwiftUsername is null || store.SwiftPassword is null),
                "[store] swift_auth_url needs swift_username and swift_password too"),
            (store.SwiftAuthUrl is null && settings.Keystone.AuthType is null && store.Url?.StartsWith("swift:", StringComparison.Ordinal) == true,
                $"[store] url is Swift's, and nothing says how to log in: set [keystone] auth_type or cloud, or [store] swift_auth_url for Swift's own authentication{Because(settings)}"),
            (new[] { settings.Encryption.KeyFile, settings.Encryption.KeyEnv, settings.Encryption.KeyCommand }.Count(s => s is not null) > 1,
                "[encryption] key_file, key_env and key_command: more than one is set; choose one"),
            (settings.Tenants.VolumePools.Any(p => p.Split('=') is not [{ Length: > 0 }, { Length: > 0 }]),
                "[tenants] volume_pools: each is written BACKEND=POOL, such as rbd-ssd=volumes-ssd"),
            (settings.Rotation.Grace < settings.Jobs.Deadline + TimeSpan.FromHours(1),
                "[rotation] grace must be longer than [jobs] deadline by an hour at least; else gc could delete what a running job stored"),
        ];
        return rules.Where(r => r.Wrong).Select(r => r.Message).Concat(CheckClusters(settings)).Concat(CheckKeystone(settings.Keystone)).Concat(settings.Policies.SelectMany(p => CheckPolicy(p.Key, p.Value, settings.Rotation, settings.Backup.LibvirtUri)));
    }

    /// <summary>What does not suffice for a login.</summary>
    public static IEnumerable<string> CheckKeystone(KeystoneSettings keystone)
    {
        var user = keystone.Username ?? keystone.UserId;
        (bool Missing, string Options)[] needed = keystone.AuthType switch
        {
            null => [],
            "v3applicationcredential" =>
            [
                (keystone.AuthUrl is null, "auth_url"),
                (keystone.ApplicationCredentialId is null && (keystone.ApplicationCredentialName is null || user is null),
                    "application_credential_id, or application_credential_name and username"),
                (keystone.ApplicationCredentialSecret is null, "application_credential_secret"),
            ],
            _ =>
            [
                (keystone.AuthUrl is null, "auth_url"),
                (user is null, "username or user_id"),
                (keystone.Password is null, "password"),
                (keystone.ProjectName is null && keystone.ProjectId is null, "project_name or project_id"),
            ],
        };
        return needed.Where(n => n.Missing).Select(n => $"[keystone] auth_type = {keystone.AuthType} needs {n.Options}");
    }

    /// <summary>Names of clusters, and pools of clusters that are not there.</summary>
    private static IEnumerable<string> CheckClusters(RbdBackupSettings settings)
    {
        foreach (var name in settings.Clusters.Keys.Where(n => !n.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
        {
            yield return $"[ceph:{name}]: a cluster's name has letters, digits, - and _";
        }

        if (ImageSpec.ClusterOf(settings.Ceph.VmsPool + settings.Ceph.VolumesPool) is not null)
        {
            yield return "[ceph] vms_pool and volumes_pool are pools of the default cluster, with no name before them";
        }

        foreach (var cluster in settings.Clusters.Values.Where(c => (c.VmsPool + c.VolumesPool).Count(ImageSpec.ClusterEnd.Equals) != 2))
        {
            yield return $"[ceph:{cluster.Name}] vms_pool and volumes_pool are pools of this cluster, with no name before them";
        }

        foreach (var clash in HostPlanner.Clashes(settings.HostRules))
        {
            yield return clash;
        }

        var pools = settings.Policies.SelectMany(p => p.Value.Pool.Concat(p.Value.Image).Select(i => (Where: $"[policy:{p.Key}]", Pool: i)))
            .Concat(settings.Tenants.VolumePools.Select(v => (Where: "[tenants] volume_pools", Pool: v[(v.IndexOf('=', StringComparison.Ordinal) + 1)..])));
        foreach (var (where, pool) in pools.Where(p => ImageSpec.ClusterOf(p.Pool) is { } c && !settings.Clusters.ContainsKey(c)))
        {
            yield return $"{where}: '{pool}' is in cluster {ImageSpec.ClusterOf(pool)}, and there is no [ceph:{ImageSpec.ClusterOf(pool)}]";
        }
    }

    private static string Because(RbdBackupSettings settings) => settings.KeystoneProblem is { } problem ? $" ({problem})" : "";

    private static IEnumerable<string> CheckPolicy(string name, PolicySettings policy, RotationSettings rotation, string? libvirtUri)
    {
        if (policy.Consistency == "frozen" && libvirtUri is null)
        {
            yield return $"[policy:{name}] consistency = frozen needs [backup] libvirt_uri";
        }

        if (name == "none" && policy.Enabled)
        {
            yield return "[policy:none] is the policy of what shall have no backups and can't be enabled; choose another name";
        }

        foreach (var image in policy.Image.Where(i => !ImageSpec.TryParse(i, out _)))
        {
            yield return $"[policy:{name}] image: '{image}' does not name an image; pool/name or pool/namespace/name does";
        }

        if (policy.KeepCycles > 0 && policy.FullEvery > 0 && policy.FullEvery != rotation.FullEvery)
        {
            yield return $"[policy:{name}] full_every: with keep_cycles a new full comes with each cycle; set cycle_days instead";
        }

        foreach (var image in policy.ForImage.Where(i => !i.Contains('/', StringComparison.Ordinal)))
        {
            yield return $"[policy:{name}] for_image: '{image}' names no images; pool/name does, with * and ? for any characters, such as vms/*";
        }
    }
}
