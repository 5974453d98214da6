using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Copy;

/// <summary>How a point's copy ended.</summary>
public enum CopyState
{
    /// <summary>It was copied, or objects of it that were lost there.</summary>
    Copied,

    /// <summary>All of it was there.</summary>
    Present,

    /// <summary>It was removed there, by that store's own rotation.</summary>
    Left,

    /// <summary>It was removed here meanwhile.</summary>
    Gone,

    /// <summary>It is damaged here; nothing that refers to the damage was copied.</summary>
    Damaged,

    /// <summary>One of the stores did not let it be copied.</summary>
    Failed,
}

/// <summary>The result for one point.</summary>
/// <param name="Point">The point.</param>
/// <param name="State">How it ended.</param>
/// <param name="Objects">The objects that were copied.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Why">What is damaged, or failed; null otherwise.</param>
public sealed record CopyResult(Manifest Point, CopyState State, long Objects, long Bytes, string? Why);
