using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Servers;

namespace RbdBackup.Core.Verify;

/// <summary>Something that was put right.</summary>
/// <param name="Where">The object.</param>
/// <param name="What">What was done.</param>
public sealed record Mended(string Where, string What);

/// <summary>What a check of the whole repository found.</summary>
/// <param name="Points">The points whose manifest can be read.</param>
/// <param name="Disks">The disks that they are of.</param>
/// <param name="Superseded">Manifests of older revisions; gc removes them.</param>
/// <param name="Objects">The objects under <c>data/</c>.</param>
/// <param name="StoredBytes">Their bytes.</param>
/// <param name="ReferredBytes">The bytes of those that some point refers to.</param>
/// <param name="Orphans">Objects under <c>data/</c> that no point refers to: gc's, or of jobs that run.</param>
/// <param name="OrphanBytes">Their bytes.</param>
/// <param name="FindingCount">How much is wrong.</param>
/// <param name="Findings">The first of it.</param>
/// <param name="Mended">What was put right, and is wrong no more.</param>
/// <param name="ServerPoints">The server points whose manifest can be read.</param>
public sealed record RepositoryReport(
    long Points, int Disks, long Superseded, long Objects, long StoredBytes, long ReferredBytes, long Orphans, long OrphanBytes,
    long FindingCount, IReadOnlyList<Finding> Findings, IReadOnlyList<Mended> Mended, long ServerPoints);

/// <summary>
/// Checks the repository's structure: every manifest, its references, the objects that they name, the directories of its indexes, what it stands on; and counts
/// what nobody refers to. Memory: the references of all points, as gc.
/// </summary>
public sealed class RepositoryCheck(PointRepository repository)
{
    private readonly Findings _findings = new();
    private readonly List<Mended> _mended = [];
    private readonly HashSet<string> _objects = [];
    private readonly HashSet<PointId> _points = [];
    private readonly Dictionary<(PointId, AttemptId), List<(int First, int Last)>> _segments = [];

    /// <summary>Checks; with <paramref name="repair"/> it also writes lost references again, from the index: what can't lose anything.</summary>
    public async Task<RepositoryReport> RunAsync(bool repair, IProgressReporter progress, CancellationToken cancel)
    {
        var (manifests, superseded) = (new List<Manifest>(), 0L);
        await foreach (var key in repository.ListAsync(Keys.PointsPrefix, cancel))
        {
            if (await ReadAsync(key, cancel) is { } manifest)
            {
                // Revisions of a point ascend; an older one's data counts too, until gc has removed it.
                superseded += manifests.Count > 0 && manifests[^1].Point == manifest.Point ? 1 : 0;
                await AddReferencesAsync(manifest, repair, cancel);
                manifests.Add(manifest);
                _points.Add(manifest.Point);
            }
        }

        var (structure, disk) = (new StructureCheck(repository, new ObjectLengths(repository.Store)), "");
        foreach (var (n, point) in manifests.GroupBy(m => m.Point).Select(g => g.MaxBy(m => m.Revision)!).Index())
        {
            if (point.Disk.Key != disk)
            {
                structure.Clear();
                disk = point.Disk.Key;
            }

            await CheckAsync(point, structure, cancel);
            progress.Report("check", n + 1, _points.Count, "{point}");
        }

        var report = new RepositoryReport(_points.Count, manifests.Select(m => m.Disk.Key).Distinct().Count(), superseded, 0, 0, 0, 0, 0, 0, [], [], await CheckServersAsync(cancel));
        await foreach (var stored in repository.Store.ListAsync(Keys.DataPrefix, cancel))
        {
            var refers = Refers(stored.Key);
            report = report with
            {
                Objects = report.Objects + 1,
                StoredBytes = report.StoredBytes + stored.Length,
                ReferredBytes = report.ReferredBytes + (refers ? stored.Length : 0),
                Orphans = report.Orphans + (refers ? 0 : 1),
                OrphanBytes = report.OrphanBytes + (refers ? 0 : stored.Length),
            };
        }

        return report with { FindingCount = _findings.Count, Findings = _findings.First, Mended = _mended };
    }

    private async Task<Manifest?> ReadAsync(ManifestKey key, CancellationToken cancel)
    {
        try
        {
            return ManifestCodec.Read(await repository.Store.GetAsync(key.Key, RepositoryFormat.MaxJson, cancel), key.Key);
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.Unsupported)
        {
            _findings.Add(key.Key, $"{e.Message}; it can't be repaired here: an older revision counts if there is one, 'copy' from another site brings the object back once this one is deleted");
            return null;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Removed since it was listed.
            return null;
        }
    }

    private async Task AddReferencesAsync(Manifest manifest, bool repair, CancellationToken cancel)
    {
        ReferenceList? references = null;
        try
        {
            references = await repository.ReadReferencesAsync(manifest, cancel);
        }
        catch (RbdBackupException e) when (Findings.IsDamage(e))
        {
            references = repair && e.Kind == ErrorKind.NotFound ? await MendAsync(manifest, cancel) : null;
        }

        _objects.Add(manifest.References.Key);
        _objects.UnionWith(references?.Objects ?? [manifest.Plan.Key, manifest.Index.Key]);
        foreach (var run in references?.Segments ?? [])
        {
            if (!_segments.TryGetValue((run.Point, run.Attempt), out var runs))
            {
                _segments[(run.Point, run.Attempt)] = runs = [];
            }

            runs.Add((run.First, run.Last));
        }
    }

    /// <summary>The same bytes again, under the same key: the manifest's digest says whether they are.</summary>
    private async Task<ReferenceList?> MendAsync(Manifest manifest, CancellationToken cancel)
    {
        try
        {
            var list = manifest.HasMergedIndex ? await OfMergedAsync(manifest, cancel) : await OfOwnAsync(manifest, cancel);
            if (PointRepository.DigestOf(list) != manifest.References.Sha256)
            {
                return null;
            }

            await repository.PutReferencesAsync(manifest.References.Key, list, cancel);
            Checkpoints.Pass("check.mended");
            _mended.Add(new Mended(manifest.References.Key, "was lost, and was written again from the point's index"));
            return list;
        }
        catch (RbdBackupException e) when (Findings.IsDamage(e))
        {
            return null;
        }
    }

    private async Task<ReferenceList> OfOwnAsync(Manifest manifest, CancellationToken cancel)
    {
        var index = await repository.ReadIndexAsync(manifest, cancel);
        return new ReferenceList(RepositoryFormat.Version, manifest.Key, index.Segments, [manifest.Plan.Key, manifest.Index.Key]);
    }

    /// <summary>As a consolidation counts them: what the index shows, and the point's own segments.</summary>
    private async Task<ReferenceList> OfMergedAsync(Manifest manifest, CancellationToken cancel)
    {
        var (directory, cursor) = (await repository.ReadMergedIndexAsync(manifest, cancel), await repository.OpenIndexAsync(manifest, cancel));
        var counter = new ReferenceCounter();
        for (var start = 0L; start < manifest.Size; start += ChainReader.WindowBytes)
        {
            counter.Add(await cursor.ReadAsync(start, Math.Min(manifest.Size, start + ChainReader.WindowBytes), cancel));
        }

        var own = new List<SegmentRun>();
        await foreach (var stored in repository.Store.ListAsync(Keys.PointData(manifest.Point), cancel))
        {
            if (Keys.TryParseSegment(stored.Key) is { } segment && segment.Number < manifest.Segments)
            {
                own.Add(new SegmentRun(manifest.Point, segment.Attempt, segment.Number, segment.Number, 0));
            }
        }

        string[] named = [manifest.Plan.Key, manifest.Index.Key];
        return new ReferenceList(RepositoryFormat.Version, manifest.Key, counter.Runs(own), [.. named.Union(directory.Objects.Select(o => o.Key))]);
    }

    private async Task CheckAsync(Manifest point, StructureCheck structure, CancellationToken cancel)
    {
        await structure.CheckAsync([point], _findings, cancel);
        await _findings.TryAsync(point.Index.Key, async () => await repository.OpenIndexAsync(point, cancel));
        if (point.Needs is { } below && !_points.Contains(below.Point))
        {
            _findings.Add(point.Key, $"stands on point {below.Point}, which is missing: the point can't be restored; 'copy' from another site brings it back");
        }
    }

    /// <summary>A point of a server point that is gone was lost: whatever removes one rightly removes the server point first.</summary>
    private async Task<long> CheckServersAsync(CancellationToken cancel)
    {
        var (count, servers) = (0L, new ServerPointStore(repository));
        await foreach (var point in servers.ReadAllAsync(null, e => _findings.Add(e.Message, "the server point can't be read; its disks' points are not harmed by that"), cancel))
        {
            count++;
            foreach (var disk in point.Disks.Where(d => !_points.Contains(d.Point)))
            {
                // It may have come, or gone, since the points were read.
                if (await repository.FindNewestAsync(disk.Disk, disk.Point, cancel) is null && await servers.HasAsync(new ServerPointReference(point.Id, point.Server), cancel))
                {
                    _findings.Add(point.Key, $"names point {disk.Point} of {disk.Image}, which is missing: the server can't be restored as a whole");
                }
            }
        }

        return count;
    }

    private bool Refers(string key) =>
        _objects.Contains(key)
        || (Keys.PointOfData(key) is { } point
            && (Keys.TryParseSegment(key) is { } segment ? _segments.TryGetValue((point, segment.Attempt), out var runs) && runs.Exists(r => segment.Number >= r.First && segment.Number <= r.Last)
                : Keys.TryParseWrap(key) is { } wrap && _segments.ContainsKey((point, wrap.Attempt))));
}
