using RbdBackup.Configuration;
using RbdBackup.OpenStack;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Tenants;

namespace RbdBackup.Tests.Tenants;

/// <summary>What Nova and Cinder may say, for tables.</summary>
internal static class Cloud
{
    public const string ServerId = "29bad680-7c49-4e65-aa67-69ea1a1a53c2";
    public const string OtherServerId = "39bad680-7c49-4e65-aa67-69ea1a1a53c2";
    public const string VolumeId = "60f36cf7-42bd-4e28-8925-aa4f6d4df49a";
    public const string NameId = "70f36cf7-42bd-4e28-8925-aa4f6d4df49a";

    public static readonly MeaningOptions Words = new();

    public static IReadOnlyDictionary<string, PolicySettings> Policies { get; } =
        ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings.Policies
            .Append(new("stopped", ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings.Policies["daily"] with { Enabled = false })).ToDictionary();

    public static CoveragePlanner Planner => new(Words, Policies, new DiskPools(["vms"], ["volumes"], ["ssd=fast"]));

    public static Server Server(string? policy = null, string id = ServerId, string project = "a", string? now = null, string status = "ACTIVE", bool hasVolume = true) => new()
    {
        Id = id,
        Status = status,
        ProjectId = project,
        Metadata = Metadata(policy, now),
        Volumes = hasVolume ? [new AttachedVolume(VolumeId)] : [],
    };

    public static Volume Volume(
        string? policy = null, string project = "a", string? now = null, string status = "in-use", bool encrypted = false, string? nameId = null, string? host = "host@rbd#rbd",
        params string[] servers) => new()
        {
            Id = VolumeId,
            Status = status,
            Size = 1,
            ProjectId = project,
            Metadata = Metadata(policy, now),
            Encrypted = encrypted,
            NameId = nameId,
            Host = host,
            Attachments = [.. servers.Select(s => new VolumeServer("x", s))],
        };

    private static Dictionary<string, string> Metadata(string? policy, string? now)
    {
        var metadata = new Dictionary<string, string> { ["name"] = "mine" };
        if (policy is not null)
        {
            metadata["backup_policy"] = policy;
        }

        if (now is not null)
        {
            metadata["backup_now"] = now;
        }

        return metadata;
    }
}
