using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Copy;

/// <summary>What a point is made of, in two stores: copied from one to the other as far as it lacks there, and looked at there before its manifest says that it is whole.</summary>
internal sealed class PointObjects(PointRepository source, PointRepository target, int parallel)
{
    private readonly ObjectCopier _copier = new(source, target.Store);
    private readonly ObjectLengths _here = new(source.Store);
    private readonly ObjectLengths _there = new(target.Store);

    /// <summary>Copies what the other store lacks of a point's objects, all but its manifest.</summary>
    /// <param name="point">The point.</param>
    /// <param name="references">What it needs.</param>
    /// <param name="going">What a collection is deleting there.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the copy.</param>
    /// <returns>The objects and bytes that were copied.</returns>
    /// <exception cref="RbdBackupException">Corrupt: an object is missing or damaged here, or another one of its name is there.</exception>
    public async Task<(long Objects, long Bytes)> CopyAsync(
        Manifest point, ReferenceList references, KeySet going, IProgressReporter progress, CancellationToken cancel)
    {
        var digests = new[] { point.Plan, point.Index, point.References }.ToDictionary(r => r.Key, r => r.Sha256);
        var (lacking, total) = (new List<(string Key, long Length)>(), 0L);
        foreach (var key in CopyPlanner.Order(point, references).Distinct())
        {
            var (here, there) = (await _here.FindAsync(key, cancel), await _there.FindAsync(key, cancel));
            if (here is not { } length)
            {
                // The other store's own index, of a revision that only it has.
                _ = there ?? throw RepositoryFormat.Corrupt(key, "is missing, and its point needs it");
                continue;
            }

            if (there is { } other && other != length)
            {
                throw new RbdBackupException(
                    ErrorKind.Corrupt, $"{key} has {other} bytes in {target.Store.Url} and {length} here; every key is written once",
                    "Find out which is right ('rbdbackup verify --data' on both stores), delete the other one, and copy again.");
            }

            if (there is null)
            {
                lacking.Add((key, length));
                total += length;
            }
        }

        // The keys of attempts, then segments, all of them, then what names them.
        var wraps = await CopyWrapsAsync(references, going, cancel);
        var done = 0L;
        foreach (var step in lacking.GroupBy(o => o.Key == point.References.Key ? 2 : Keys.TryParseSegment(o.Key) is null ? 1 : 0).OrderBy(g => g.Key))
        {
            var parallelism = new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancel };
            await Parallel.ForEachAsync(step, parallelism, async (o, ct) =>
            {
                await _copier.CopyAsync(o.Key, o.Length, digests.GetValueOrDefault(o.Key), ct);
                Checkpoints.Pass("copy.object");
                progress.Report("copy", Interlocked.Add(ref done, o.Length), total, "By");
            });
        }

        if (lacking.Count + wraps.Objects > 0)
        {
            _there.Clear();
        }

        return (lacking.Count + wraps.Objects, total + wraps.Bytes);
    }

    private async Task<(long Objects, long Bytes)> CopyWrapsAsync(ReferenceList references, KeySet going, CancellationToken cancel)
    {
        var (objects, bytes) = (0L, 0L);
        foreach (var (point, attempt) in source.Seal is null ? [] : references.Segments.Select(r => (r.Point, r.Attempt)).Distinct())
        {
            // One that a collection is deleting is as good as gone; another one is an object of its own.
            if ((await _there.FindWrapsAsync(point, attempt, cancel)).All(going.Contains))
            {
                bytes += await target.Seal!.Attempts.AdoptAsync(point, attempt, source.Seal!.Attempts, cancel);
                objects++;
                Checkpoints.Pass("copy.wrap");
            }
        }

        return (objects, bytes);
    }

    /// <summary>Before the commit: the point can be read there, from what is there alone.</summary>
    /// <exception cref="RbdBackupException">Corrupt: it can not.</exception>
    public async Task RequireWholeAsync(Manifest point, ReferenceList references, CancellationToken cancel)
    {
        foreach (var (of, attempt) in target.Seal is null ? [] : references.Segments.Select(r => (r.Point, r.Attempt)).Distinct())
        {
            await target.Seal!.Attempts.GetAsync(of, attempt, cancel);
        }

        var (findings, chain) = (new Findings(), await target.ReadChainAsync(point, cancel));
        await new StructureCheck(target, _there).CheckAsync([point], findings, cancel);
        await new DataCheck(target, _there, new FrameProver(target), parallel).CheckReachAsync(chain, findings, IProgressReporter.None, cancel);
        if (findings.Count > 0)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, $"the copy of point {point.Point} is not whole: {findings.First[0].Where} {findings.First[0].What}", "Run the copy again.");
        }
    }

    /// <summary>Forgets what is known of both stores.</summary>
    public void Forget()
    {
        _here.Clear();
        _there.Clear();
    }
}
