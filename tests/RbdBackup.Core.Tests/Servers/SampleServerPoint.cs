using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;

namespace RbdBackup.Core.Tests.Servers;

/// <summary>A server point with something in every field.</summary>
internal static class SampleServerPoint
{
    public const string Server = "1e9c0f6a-5b5e-4a2e-9a40-0f5a5f6c3f10";

    public static ServerPoint Of(ServerPointReference reference, DateTimeOffset moment, params Manifest[] disks)
    {
        Dictionary<string, string> some = new() { ["a"] = "b" };
        return new ServerPoint
        {
            Format = RepositoryFormat.Version,
            RequiredFeatures = [],
            Id = reference.Id,
            Attempt = AttemptId.New(),
            Server = reference.Server,
            Project = "809ea3ad4003423dabf601b746353db0",
            Name = "a server, Zürich",
            Moment = moment,
            Consistency = Consistency.Crash,
            Asked = Consistency.Frozen,
            WhyNot = "no agent answers",
            SpreadMs = 12,
            HeldMs = 1200,
            Disks = [.. disks.Select((m, n) => new ServerPointDisk(
                n == 0 ? DiskRole.Root : DiskRole.Volume, n == 0 ? null : "b", n == 0 ? "/dev/vda" : "/dev/vdb", n == 0 ? 0 : null, m.Point, m.Disk.Key, m.Disk.Spec.ToString(), m.Size))],
            Skipped = [new SkippedDisk($"vms/{reference.Server}_disk.swap", "swap")],
            Description = new ServerDescription(
                new FlavorDescription("m1", 2, 2048, 20, 10, 512, some), "135100b9-b765-4693-90fe-2dc4e85ece82", "debian",
                [new VolumeDescription("b", "data", "of a", 1, "fast", "nova", false, "/dev/vdb", null, true, "data", some, some)],
                [new PortDescription("0c1d7c6e-39a4-4c1e-8f0e-0d7f3e1d2a11", "9f", "fa:16:3e:00:00:01", ["10.0.0.7"])], some, "key", ["default"], "nova", true, "text", ["tag"], "host",
                "/dev/vda", "ACTIVE", "<domain type='qemu'/>"),
            AskedBy = new AskedBy(AskedSource.Cli, User: "root"),
            Policy = "daily",
            Tool = "test",
        };
    }
}
