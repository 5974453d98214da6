using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>All that the repository's manifests refer to.</summary>
internal sealed class LiveObjects
{
    private readonly PointRepository _repository;
    private readonly HashSet<string> _objects = [];
    private readonly HashSet<PointId> _committed = [];
    private readonly HashSet<PointId> _aborted = [];
    private readonly HashSet<PointId> _withData = [];
    private readonly Dictionary<PointId, bool> _named = [];
    private readonly Dictionary<(PointId, AttemptId), List<SegmentRun>> _segments = [];

    private LiveObjects(PointRepository repository) => _repository = repository;

    /// <summary>Reads all manifests and their references.</summary>
    public static async Task<LiveObjects> ReadAsync(PointRepository repository, CancellationToken cancel)
    {
        var live = new LiveObjects(repository);
        await foreach (var stored in repository.Store.ListAsync(Keys.PointsPrefix, cancel))
        {
            live._aborted.UnionWith(Keys.TryParseAborted(stored.Key) is { } mark ? [mark.Point] : []);
        }

        // Every revision counts: a reader may be in the middle of an older one.
        await foreach (var key in repository.ListAsync(Keys.PointsPrefix, cancel))
        {
            var manifest = ManifestCodec.Read(await repository.Store.GetAsync(key.Key, RepositoryFormat.MaxJson, cancel), key.Key);
            live.Add(manifest, await repository.ReadReferencesAsync(manifest, cancel));
        }

        await foreach (var stored in repository.Store.ListAsync(Keys.DataPrefix, cancel))
        {
            live._withData.UnionWith(Keys.PointOfData(stored.Key) is { } point ? [point] : []);
        }

        return live;
    }

    public bool IsCommitted(PointId point) => _committed.Contains(point);

    public bool IsAborted(PointId point) => _aborted.Contains(point);

    public bool HasData(PointId point) => _withData.Contains(point);

    public bool Refers(string key) =>
        _objects.Contains(key)
        || (Keys.PointOfData(key) is { } point && Keys.TryParseSegment(key) is { } segment
            && _segments.TryGetValue((point, segment.Attempt), out var runs) && runs.Any(r => r.First <= segment.Number && segment.Number <= r.Last));

    /// <summary>
    /// True where a manifest that a listing lacked is there when it is asked for by name: a point's references name it. Nothing is deleted because a
    /// listing lacked a name.
    /// </summary>
    public async Task<bool> IsNamedAsync(PointId point, CancellationToken cancel)
    {
        if (IsCommitted(point))
        {
            return false;
        }

        if (!_named.TryGetValue(point, out var named))
        {
            await foreach (var stored in _repository.Store.ListAsync(Keys.ReferencesPrefix(point), cancel))
            {
                var json = await _repository.Store.GetAsync(stored.Key, RepositoryFormat.MaxJson, cancel);
                var list = RepositoryFormat.ReadJson(json, RepositoryJson.Default.ReferenceList, stored.Key);
                named |= !IsAborted(point) && await _repository.Store.StatAsync(list.Manifest, cancel) is not null;
            }

            _named[point] = named;
        }

        return named;
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

            runs.Add(run);
        }
    }
}
