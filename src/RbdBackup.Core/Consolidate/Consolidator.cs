using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Consolidate;

/// <summary>What a consolidation did.</summary>
/// <param name="Point">The point's newest revision.</param>
/// <param name="IndexBytes">The bytes of index that were stored; 0 where the point needed no other before.</param>
public sealed record ConsolidateResult(Manifest Point, long IndexBytes);

/// <summary>
/// Makes points independent of their chains: a new revision of the manifest, whose index shows the whole image and names frames in whichever point's segments.
/// No data moves, the cluster is not asked. Killed anywhere, the older revision counts, and what was stored for the newer one is garbage; two at the same
/// time make two revisions that show the same.
/// </summary>
/// <param name="repository">The repository.</param>
/// <param name="layout">How indexes are cut; null: as usual.</param>
public sealed class Consolidator(PointRepository repository, MergedLayout? layout = null)
{
    /// <summary>Makes a point independent; one that needs no other stays as it is.</summary>
    /// <param name="point">The point.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the work; nothing is changed then.</param>
    /// <exception cref="RbdBackupException">NotFound: the point is gone; Corrupt: a point of its chain is missing or damaged.</exception>
    public async Task<ConsolidateResult> ConsolidateAsync(Manifest point, IProgressReporter progress, CancellationToken cancel) =>
        await ConsolidateAsync(
            await repository.FindNewestAsync(point, cancel) ?? throw new RbdBackupException(
                ErrorKind.NotFound, $"point {point.Point} of {point.Disk.Spec} is gone", "'rbdbackup list' shows the points."),
            [], progress, cancel);

    /// <summary>The same for a point that was just read. Where it got a higher revision since, that one goes on to count, and shows the same.</summary>
    /// <param name="point">The point.</param>
    /// <param name="known">Points of its chain that were just read; they count though they may have been voided: their data is still there.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the work; nothing is changed then.</param>
    /// <exception cref="RbdBackupException">Corrupt: a point of its chain is missing or damaged.</exception>
    internal async Task<ConsolidateResult> ConsolidateAsync(
        Manifest point, IReadOnlyList<Manifest> known, IProgressReporter progress, CancellationToken cancel)
    {
        var chain = await repository.ReadChainAsync(point, cancel, known);
        point = chain[^1];
        if (point.Needs is null)
        {
            return new ConsolidateResult(point, 0);
        }

        var attempt = AttemptId.New();
        var merge = new IndexMerge(repository, chain, attempt, layout ?? new MergedLayout());
        var index = await merge.RunAsync(progress, cancel);
        Checkpoints.Pass("consolidate.indexed");
        var own = (await repository.ReadReferencesAsync(point, cancel)).Segments.Where(r => r.Point == point.Point);
        var next = point with
        {
            RequiredFeatures = [.. point.RequiredFeatures.Union([RepositoryFormat.MergedIndex])],
            Revision = point.Revision + 1,
            Attempt = attempt,
            Independent = true,
            ChainStart = chain[0].ChainStart ?? chain[0].Created,
            Index = index,
        };
        var key = Keys.Manifest(next.Disk.Key, next.Point, next.Revision, next.Attempt, next.Kind, next.StoredBytes);
        var references = new ReferenceList(
            RepositoryFormat.Version, key, merge.References.Runs(own), [.. new[] { next.Plan.Key, index.Key }.Union(merge.Objects)]);
        next = next with { References = await repository.PutReferencesAsync(Keys.References(next.Point, attempt), references, cancel) };
        Checkpoints.Pass("consolidate.referenced");
        await repository.CommitAsync(next, cancel);
        Checkpoints.Pass("consolidate.committed");
        return new ConsolidateResult(next, merge.StoredBytes);
    }
}

/// <summary>Merges a chain's indexes into one, leaf by leaf: own pages on top of the stack of the merged index that the chain starts with, if it does.</summary>
internal sealed class IndexMerge(PointRepository repository, IReadOnlyList<Manifest> chain, AttemptId attempt, MergedLayout layout)
{
    private MergedIndexWriter? _writer;

    /// <summary>The segments that the merged index needs.</summary>
    public ReferenceCounter References { get; } = new();

    /// <summary>The objects that hold its pages.</summary>
    public IEnumerable<string> Objects => _writer!.Objects;

    /// <summary>How many bytes of index were stored.</summary>
    public long StoredBytes => _writer!.StoredBytes;

    /// <summary>Stores the merged index.</summary>
    public async Task<ObjectReference> RunAsync(IProgressReporter progress, CancellationToken cancel)
    {
        var bottom = chain[0].HasMergedIndex ? (MergedCursor)await repository.OpenIndexAsync(chain[0], cancel) : null;
        var upper = await ChainCursor.OpenAsync(repository, bottom is null ? chain : chain.Skip(1), cancel);
        var (leaf, generation) = (bottom?.LeafBytes ?? layout.LeafBytes, bottom is null ? 0 : bottom.Generation + 1);
        var (size, limit) = (chain[^1].Size, chain.Min(m => m.Size));
        _writer = new MergedIndexWriter(repository, chain[^1].Point, attempt, layout with { LeafBytes = leaf }, generation);
        for (var number = 0L; number * leaf < size; number++)
        {
            var own = await ReadAsync(upper.ReadAsync, number * leaf, Math.Min(size, (number + 1) * leaf), cancel);
            var below = bottom is null ? [] : await ReadAsync(bottom.ReadAsync, number * leaf, Math.Min(limit, (number + 1) * leaf), cancel);
            var layers = bottom?.Leaf?.Number == number ? bottom.Leaf.Layers : [];
            var cut = limit < chain[0].Size && (number + 1) * leaf > limit && layers.Count > 0;
            var shown = Pieces.Under(own, below);
            References.Add(shown);
            var (top, kept) = LeafPlanner.Decide(number, generation, layers.Count, own.Count > 0, cut) switch
            {
                // Nothing lies below a folded leaf: its zeros need not be said.
                LeafAction.Fold => (shown.Where(p => p.Frame is not null).ToList(), []),
                LeafAction.Stack => (own, layers),
                _ => ([], layers),
            };
            await _writer.AddAsync(number, top, kept, cancel);
            progress.Report("consolidate", Math.Min(size, (number + 1) * leaf), size, "By");
        }

        return await _writer.FinishAsync(cancel);
    }

    /// <summary>A leaf's pieces, window by window, so that what one window holds of a page is forgotten with it.</summary>
    private static async Task<List<Piece>> ReadAsync(
        Func<long, long, CancellationToken, Task<List<Piece>>> read, long start, long end, CancellationToken cancel)
    {
        var pieces = new List<Piece>();
        for (; start < end; start += ChainReader.WindowBytes)
        {
            Pieces.Append(pieces, await read(start, Math.Min(end, start + ChainReader.WindowBytes), cancel));
        }

        return pieces;
    }
}
