namespace RbdBackup.Core.Diff;

/// <summary>What a diff of unknown origin may claim before it is refused.</summary>
public sealed record DiffLimits
{
    /// <summary>What <c>rbd export-diff</c> and <c>rbd merge-diff</c> may write.</summary>
    public static DiffLimits Default { get; } = new();

    /// <summary>The longest data record, in bytes. Its bytes are handed out piecewise, so this bounds no memory here; but <c>rbd import-diff</c> takes a record in one
    /// piece, and <c>rbd export-diff</c> writes at most an object's bytes in one.</summary>
    public long MaxRecord { get; init; } = 1L << 30;

    /// <summary>The largest image, in bytes.</summary>
    public long MaxSize { get; init; } = 1L << 60;

    /// <summary>Allows data and zero records in any order and over each other, which <c>rbd import-diff</c> takes and <c>rbd merge-diff</c> does not.</summary>
    public bool AllowUnordered { get; init; }
}
