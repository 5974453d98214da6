using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>All that the repository's manifests refer to.</summary>
internal sealed class LiveObjects
{
    private readonly PointRepository _repository;
    private readonly KeySet _objects = new();
    private readonly HashSet<PointId> _committed = [];
    private readonly HashSet<PointId> _aborted = [];
    private readonly HashSet<PointId> _needed = [];
    private readonly HashSet<PointId> _withPlan = [];
    private readonly Dictionary<(PointId, AttemptId), List<(int First, int Last)>> _segments = [];
    private readonly LiveWraps _wraps;
    private readonly List<string> _superseded = [];

    private LiveObjects(PointRepository repository) => (_repository, _wraps) = (repository, new LiveWraps(repository));

    /// <summary>The manifests of points that have a higher revision.</summary>
    public IReadOnlyList<string> Superseded => _superseded;

    /// <summary>Reads all manifests and their references.</summary>
    /// <exception cref="RbdBackupException">Corrupt: one can't be read.</exception>
    public static async Task<LiveObjects> ReadAsync(PointRepository repository, CancellationToken cancel)
    {
        var live = new LiveObjects(repository);
        await foreach (var mark in ReadMarkersAsync(repository, cancel).WithCancellation(cancel))
        {
            live._aborted.Add(mark);
        }

        // Every revision counts: a reader may be in the middle of an older one.
        ManifestKey? highest = null;
        var needed = new List<PointBase>();
        var read = repository.ListAsync(Keys.PointsPrefix, cancel).SelectParallelAsync(
            PointRepository.ReadsInFlight, async (key, token) => (key, await live.TryReadAsync(key, token)), cancel);
        await foreach (var (key, found) in read.WithCancellation(cancel))
        {
            if (found is not var (manifest, references))
            {
                continue;
            }

            live.Add(manifest, references);
            needed.AddRange(manifest.Needs is { } b && live.IsAborted(b.Point) ? [b] : []);
            if (highest?.Point == key.Point)
            {
                live._superseded.Add(key.Revision > highest.Revision ? highest.Key : key.Key);
            }

            highest = highest?.Point == key.Point && key.Revision <= highest.Revision ? highest : key;
        }

        await live.AddVoidedAsync(needed, cancel);
        await live.AddUnlistedAsync(cancel);
        await live._wraps.ResolveAsync(cancel);
        live.MergeRuns();
        return live;
    }

    public bool IsCommitted(PointId point) => _committed.Contains(point);

    public bool IsAborted(PointId point) => _aborted.Contains(point);

    /// <summary>True where a point that was voided must stay: a removal was killed before it had made all independent that stands on it.</summary>
    public bool IsNeeded(PointId voided) => _needed.Contains(voided);

    public bool HasPlan(PointId point) => _withPlan.Contains(point);

    public bool Refers(string key)
    {
        if (_objects.Contains(key))
        {
            return true;
        }

        if (Keys.PointOfData(key) is { } of && Keys.TryParseWrap(key) is { } wrap)
        {
            return _segments.ContainsKey((of, wrap.Attempt)) && _wraps.IsNewest(of, wrap.Attempt, wrap.Generation);
        }

        if (Keys.PointOfData(key) is not { } point || Keys.TryParseSegment(key) is not { } segment || !_segments.TryGetValue((point, segment.Attempt), out var runs))
        {
            return false;
        }

        var at = runs.BinarySearch((segment.Number, int.MaxValue));
        at = at < 0 ? ~at - 1 : at;
        return at >= 0 && segment.Number <= runs[at].Last;
    }

    /// <summary>The points that were voided. What a collection deletes on a marker's word must be its repository's: whoever only writes to the store must not make us delete.</summary>
    private static IAsyncEnumerable<PointId> ReadMarkersAsync(PointRepository repository, CancellationToken cancel) =>
        repository.Store.ListAsync(Keys.PointsPrefix, cancel).Where(s => Keys.TryParseAborted(s.Key) is not null).SelectParallelAsync(
            PointRepository.ReadsInFlight,
            async (stored, token) =>
            {
                await RequireSealedAsync(repository, stored.Key, token);
                return Keys.TryParseAborted(stored.Key)!.Value.Point;
            },
            cancel);

    private static async Task RequireSealedAsync(PointRepository repository, string marker, CancellationToken cancel)
    {
        try
        {
            _ = repository.Seal is null ? [] : await repository.Store.GetAsync(marker, RepositoryFormat.MaxJson, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Corrupt)
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt, e.Message, "Nothing is deleted while it is there. If nobody gave that point up or pruned it, delete the marker, and the point is there again; else look at who writes to the store.", e);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Removed since it was listed.
        }
    }

    /// <summary>
    /// Adds points and revisions that the listing lacked: their references name a manifest that is there when it is asked for. Nothing is deleted because
    /// a listing lacked a name.
    /// </summary>
    private async Task AddUnlistedAsync(CancellationToken cancel)
    {
        await foreach (var stored in _repository.Store.ListAsync(Keys.DataPrefix, cancel))
        {
            if (Keys.PointOfData(stored.Key) is not { } point)
            {
                continue;
            }

            _withPlan.UnionWith(Keys.IsPlan(stored.Key) ? [point] : []);
            _wraps.Add(point, stored.Key);
            if (Keys.IsReferences(stored.Key) && !_objects.Contains(stored.Key) && !IsAborted(point))
            {
                await AddUnlistedAsync(stored.Key, cancel);
            }
        }
    }

    private async Task AddUnlistedAsync(string references, CancellationToken cancel)
    {
        var list = await TryReadListAsync(references, cancel);
        if (list is not null && Keys.TryParseManifest(list.Manifest) is { } key && await _repository.Store.StatAsync(list.Manifest, cancel) is not null
            && await TryReadAsync(key, cancel) is var (manifest, named))
        {
            Add(manifest, named);
        }
    }

    /// <summary>References that were listed; null where another collection took them since. Had they a manifest, that would have been read: they go after it.</summary>
    private async Task<ReferenceList?> TryReadListAsync(string references, CancellationToken cancel)
    {
        try
        {
            var json = await _repository.Store.GetAsync(references, RepositoryFormat.MaxJson, cancel);
            return RepositoryFormat.ReadJson(json, RepositoryJson.Default.ReferenceList, references);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    /// <summary>Adds points that were voided, and that others still stand on.</summary>
    private async Task AddVoidedAsync(List<PointBase> needed, CancellationToken cancel)
    {
        for (var n = 0; n < needed.Count; n++)
        {
            if (_needed.Add(needed[n].Point) && await _repository.ReadVoidedAsync(needed[n], cancel) is { } manifest)
            {
                Add(manifest, await _repository.ReadReferencesAsync(manifest, cancel));
                needed.AddRange(manifest.Needs is { } b ? [b] : []);
            }
        }
    }

    /// <summary>A manifest that was listed, and its references; null where it was removed rightly since: with its point, or behind a newer revision.</summary>
    private async Task<(Manifest Manifest, ReferenceList References)?> TryReadAsync(ManifestKey key, CancellationToken cancel)
    {
        try
        {
            return await ReadAsync(key.Key, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            if (await IsGoneAsync(key, cancel))
            {
                return null;
            }

            throw;
        }
    }

    /// <summary>A listing that lacks its name does not make it gone.</summary>
    private async Task<bool> IsGoneAsync(ManifestKey key, CancellationToken cancel)
    {
        if (await _repository.Store.StatAsync(Keys.Aborted(key.Disk, key.Point), cancel) is not null)
        {
            return true;
        }

        var others = await _repository.ListAsync(Keys.PointPrefix(key.Disk, key.Point), cancel).ToListAsync(cancel);
        return others.Exists(k => k.Revision >= key.Revision && k.Key != key.Key) && await _repository.Store.StatAsync(key.Key, cancel) is null;
    }

    private async Task<(Manifest Manifest, ReferenceList References)> ReadAsync(string key, CancellationToken cancel)
    {
        var manifest = ManifestCodec.Read(await _repository.Store.GetAsync(key, RepositoryFormat.MaxJson, cancel), key);
        return (manifest, await _repository.ReadReferencesAsync(manifest, cancel));
    }

    private void Add(Manifest manifest, ReferenceList references)
    {
        _committed.Add(manifest.Point);
        _objects.Add(manifest.References.Key);
        _objects.UnionWith(references.Objects);
        foreach (var run in references.Segments)
        {
            if (!_segments.TryGetValue((run.Point, run.Attempt), out var runs))
            {
                _segments[(run.Point, run.Attempt)] = runs = [];
            }

            runs.Add((run.First, run.Last));
        }
    }

    private void MergeRuns()
    {
        foreach (var runs in _segments.Values)
        {
            runs.Sort();
            var kept = 0;
            for (var i = 1; i < runs.Count; i++)
            {
                if (runs[i].First <= runs[kept].Last + 1L)
                {
                    runs[kept] = (runs[kept].First, Math.Max(runs[kept].Last, runs[i].Last));
                }
                else
                {
                    runs[++kept] = runs[i];
                }
            }

            runs.RemoveRange(kept + 1, runs.Count - kept - 1);
        }
    }
}
