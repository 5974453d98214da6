using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Copy;

/// <summary>What a copy does with a point.</summary>
public enum CopyAction
{
    /// <summary>Objects are copied, those that lack; then the manifest.</summary>
    Copy,

    /// <summary>The other store has this revision, or a newer one; objects of it that are lost there are copied again.</summary>
    Mend,

    /// <summary>The point was removed there, by that store's own rotation: it stays away.</summary>
    Leave,
}

/// <summary>What is known of a point in the other store.</summary>
/// <param name="Voided">True where it was removed there.</param>
/// <param name="Newest">Its newest revision there; null where it has none.</param>
public sealed record CopySight(bool Voided, Manifest? Newest);

/// <summary>Decides what a copy does. Pure.</summary>
public static class CopyPlanner
{
    /// <summary>The decision about one point.</summary>
    public static CopyAction Decide(Manifest point, CopySight there) =>
        there.Voided ? CopyAction.Leave
        : there.Newest is { } newest && newest.Revision >= point.Revision ? CopyAction.Mend
        : CopyAction.Copy;

    /// <summary>
    /// The objects of a point in the order in which they are stored: data, then plan and index, the references last. The same key and length is the same object,
    /// since every key is written once.
    /// </summary>
    /// <param name="point">The point.</param>
    /// <param name="references">Its references.</param>
    public static IEnumerable<string> Order(Manifest point, ReferenceList references) =>
        references.Segments.SelectMany(run => run.Keys).Concat(references.Objects).Append(point.References.Key);
}
