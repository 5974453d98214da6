using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;

namespace RbdBackup.Tests;

/// <summary>Points for tests that only count or sort them.</summary>
internal static class Points
{
    private static readonly DateTimeOffset Created = new(2026, 11, 25, 2, 0, 0, TimeSpan.Zero);

    /// <summary>A full of the image of that name in pool vms.</summary>
    public static Manifest Of(string name, DateTimeOffset? created = null)
    {
        var (point, none) = (PointId.New(created ?? Created), new ObjectReference("data/none", 0, ""));
        return new Manifest
        {
            Format = 1,
            RequiredFeatures = [],
            Point = point,
            Revision = 1,
            Attempt = AttemptId.New(),
            Created = created ?? Created,
            Kind = PointKind.Full,
            Reason = "a test",
            Disk = new DiskIdentity("6f1c2a52-0ddb-4d0b-8f0f-5d1f3f0c6d11", "vms", 3, "", name, "id"),
            Snapshot = new PointSnapshot(1, "snapshot", true),
            OlderSnapshots = [],
            Size = 1,
            Layout = new ImageLayout(22, 61, 1 << 22, 1, null),
            ImageMetadata = new Dictionary<string, string>(),
            Codec = "none",
            Hash = "xxh128",
            Segments = 1,
            DataBytes = 0,
            ZeroBytes = 0,
            StoredBytes = 0,
            Seconds = 1,
            Plan = none,
            Index = none,
            References = none,
            AskedBy = new AskedBy(AskedSource.Cli),
            Tool = "test",
        };
    }
}
