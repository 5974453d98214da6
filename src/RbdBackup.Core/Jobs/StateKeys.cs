using RbdBackup.Core.Model;

namespace RbdBackup.Core.Jobs;

/// <summary>
/// The names of state objects in RADOS and of the records in them (docs/architecture.md). What is about one image is in the state pool of the cluster that has
/// it: where that is one of several, its name stands in front, <c>NAME:</c>, and is no part of the object's name there. All else is in the default cluster's.
/// </summary>
public static class StateKeys
{
    /// <summary>The record that binds a restored image to its point.</summary>
    public const string Binding = "binding";

    /// <summary>The record that keeps our snapshots off an image for a while (<see cref="DiskHold"/>).</summary>
    public const string Hold = "hold";

    private const string ImagePrefix = "image.";
    private const string JobPrefix = "job.";
    private const string CancelPrefix = "cancel.";
    private const string RequestPrefix = "request.";
    private const string ServerPrefix = "server.";
    private const string ScratchPrefix = "verify.";
    private const string VolumePrefix = "volume.";

    /// <summary>The state object of an image: its lease, its job records, its requests, its binding.</summary>
    public static string Image(ImageInfo image) => $"{In(image.Spec)}{ImagePrefix}{image.PoolId}.{image.ImageId}";

    /// <summary>True for the state object of an image.</summary>
    public static bool IsImage(string name) => Split(name).Name.StartsWith(ImagePrefix, StringComparison.Ordinal);

    /// <summary>The state object of a restore onto a name.</summary>
    public static string Restore(ImageSpec target) => $"{In(target)}restore.{Uri.EscapeDataString(target.WithoutCluster().ToString())}";

    /// <summary>The state object of the scratch image that a verification of this image's points fills.</summary>
    public static string Scratch(ImageSpec image) => $"{In(image)}{ScratchPrefix}{Uri.EscapeDataString(image.WithoutCluster().ToString())}";

    /// <summary>An object that is read to see whether a cluster answers; it need not be there.</summary>
    public static string Ready(string? cluster) => cluster is null ? "ready" : $"{cluster}{ImageSpec.ClusterEnd}ready";

    /// <summary>The lease of whoever sweeps the cluster that has a pool.</summary>
    public static string Sweep(string pool) => $"{In(new ImageSpec(pool, ""))}sweep";

    /// <summary>True for the state object of a scratch image.</summary>
    public static bool IsScratch(string name) => Split(name).Name.StartsWith(ScratchPrefix, StringComparison.Ordinal);

    /// <summary>The state object of a restore into a volume of Cinder's.</summary>
    public static string Volume(string id) => $"{VolumePrefix}{Uri.EscapeDataString(id)}";

    /// <summary>The volume whose state object this is; null for another object.</summary>
    public static string? VolumeOf(string name) =>
        name.StartsWith(VolumePrefix, StringComparison.Ordinal) ? Uri.UnescapeDataString(name[VolumePrefix.Length..]) : null;

    /// <summary>The state object of a restore into a volume that is made for it.</summary>
    public static string NewVolume(PointId point, string name) => $"new-volume.{point}.{Uri.EscapeDataString(name)}";

    /// <summary>The state object of a policy's schedule.</summary>
    public static string Schedule(string policy) => $"schedule.{Uri.EscapeDataString(policy)}";

    /// <summary>The state object of what is told once a day for charging.</summary>
    public const string Usage = "usage";

    /// <summary>The lease of whoever compares all of the cloud with what is protected.</summary>
    public const string Tenants = "tenants";

    /// <summary>The state object with what servers, volumes and snapshots asked for, those whose ids begin alike.</summary>
    /// <param name="id">The id; a UUID in its usual form.</param>
    public static string TenantsOf(string id) => $"{Tenants}.{id[..2]}";

    /// <summary>The state object of a server: the lease of whoever works on it, and what it has to be given back.</summary>
    public static string Server(string server) => $"{ServerPrefix}{Uri.EscapeDataString(server)}";

    /// <summary>True for the state object of a server.</summary>
    public static bool IsServer(string name) => name.StartsWith(ServerPrefix, StringComparison.Ordinal);

    /// <summary>The server whose state object this is; null for another object.</summary>
    public static string? ServerOf(string name) => IsServer(name) ? Uri.UnescapeDataString(name[ServerPrefix.Length..]) : null;

    /// <summary>In which cluster a state object is, null for the default one, and its name there.</summary>
    public static (string? Cluster, string Name) Split(string name)
    {
        var colon = name.IndexOf(ImageSpec.ClusterEnd, StringComparison.Ordinal);
        return colon < 0 ? (null, name) : (name[..colon], name[(colon + 1)..]);
    }

    private static string In(ImageSpec image) => image.Cluster is { } cluster ? $"{cluster}{ImageSpec.ClusterEnd}" : "";

    /// <summary>A job's record.</summary>
    public static string Job(PointId point) => $"{JobPrefix}{point}";

    /// <summary>True for a job's record.</summary>
    public static bool IsJob(string key) => key.StartsWith(JobPrefix, StringComparison.Ordinal);

    /// <summary>The flag that asks a job to end.</summary>
    public static string Cancel(PointId point) => $"{CancelPrefix}{point}";

    /// <summary>A request that waits for the image.</summary>
    public static string Request(string dedupKey) => $"{RequestPrefix}{dedupKey}";

    /// <summary>True for a request's record.</summary>
    public static bool IsRequest(string key) => key.StartsWith(RequestPrefix, StringComparison.Ordinal);
}
