namespace RbdBackup.Core.Consolidate;

/// <summary>What becomes of a leaf in a new merged index.</summary>
public enum LeafAction
{
    /// <summary>The leaf's stack stays as it is: nothing changed in it.</summary>
    Keep,

    /// <summary>What changed becomes a new layer on the stack.</summary>
    Stack,

    /// <summary>All that the leaf shows is written anew, as its only layer.</summary>
    Fold,
}

/// <summary>
/// Decides which leaves are folded. Each takes its turn every <see cref="Period"/> generations, so that an index of many leaves costs about the same every time,
/// and no stack is deeper than that. Pure.
/// </summary>
public static class LeafPlanner
{
    /// <summary>The layers of a leaf, at most.</summary>
    public const int Period = 8;

    /// <summary>The decision.</summary>
    /// <param name="leaf">The leaf's number.</param>
    /// <param name="generation">The new index's generation.</param>
    /// <param name="layers">The layers that it has.</param>
    /// <param name="changed">True where there is something new in it.</param>
    /// <param name="cut">True where what its layers show reaches behind an image that shrank.</param>
    public static LeafAction Decide(long leaf, int generation, int layers, bool changed, bool cut) =>
        cut ? LeafAction.Fold
        : !changed ? LeafAction.Keep
        : layers == 0 || layers >= Period || (leaf + generation) % Period == 0 ? LeafAction.Fold
        : LeafAction.Stack;
}
