using RbdBackup.Core.Model;
using RbdBackup.OpenStack;

namespace RbdBackup.Tenants;

/// <summary>What is to become of a disk.</summary>
internal enum Fate
{
    /// <summary>Its policy backs it up.</summary>
    Protected,

    /// <summary>Nobody asked for it; it could be.</summary>
    Unasked,

    /// <summary>Its project wants it left out.</summary>
    LeftOut,

    /// <summary>It can't be, or must not be.</summary>
    Impossible,

    /// <summary>Nobody can say now: it stays as it is.</summary>
    Unknown,
}

/// <summary>A disk of a server's, or a volume, and what the coverage planner says of it.</summary>
/// <param name="Kind">Whether it is Nova's or Cinder's.</param>
/// <param name="Id">The server's id, or the volume's.</param>
/// <param name="Server">The server that has it; null for a volume that none has.</param>
/// <param name="Project">The project whose disk it is, as Nova or Cinder says it.</param>
/// <param name="Image">Its image.</param>
/// <param name="Fate">What is to become of it.</param>
internal sealed record Disk(DiskKind Kind, string Id, string? Server, string Project, ImageSpec Image, Fate Fate)
{
    /// <summary>The policy that protects it; null unless it is protected.</summary>
    public string? Policy { get; init; }

    /// <summary>True where its server's metadata chose the policy: the disk is backed up as a part of the server, where the policy says so.</summary>
    public bool ByServer { get; init; }

    /// <summary>Why it is not protected; null where it is, or where nobody asked. For the project to read.</summary>
    public string? Why { get; init; }

    /// <summary>The same for the operator, where that is more than a project may read, and the operator's to mend; else null.</summary>
    public string? Detail { get; init; }

    /// <summary>The same disk, which can't be backed up.</summary>
    public Disk Without(string why, string? detail = null) => this with { Fate = Fate.Impossible, Policy = null, ByServer = false, Why = why, Detail = detail };

    /// <summary>The same disk, whose image is not where it should be.</summary>
    /// <param name="detail">Where that is.</param>
    public Disk NotFound(string detail) => Without("not found in the storage that is backed up: ask the operator", detail);
}
