using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>Looks whether all that a point's references name is there. Reads manifests, references and listings, no data.</summary>
internal sealed class StructureCheck(PointRepository repository, ObjectLengths lengths)
{
    private readonly HashSet<(PointId, int, AttemptId)> _good = [];

    /// <summary>How many objects were looked for.</summary>
    public long Objects { get; private set; }

    /// <summary>Checks a point and what it stands on; a manifest that was found whole is not looked at again.</summary>
    public async Task CheckAsync(IEnumerable<Manifest> chain, Findings findings, CancellationToken cancel)
    {
        foreach (var manifest in chain.Where(m => !_good.Contains((m.Point, m.Revision, m.Attempt))))
        {
            var before = findings.Count;
            ReferenceList? references = null;
            await findings.TryAsync(manifest.References.Key, async () => references = await repository.ReadReferencesAsync(manifest, cancel));
            foreach (var named in new[] { manifest.Plan, manifest.Index, manifest.References })
            {
                await RequireAsync(named.Key, named.Length, findings, cancel);
            }

            if (references is not null)
            {
                await CheckAsync(manifest, references, findings, cancel);
            }

            _ = findings.Count == before && _good.Add((manifest.Point, manifest.Revision, manifest.Attempt));
        }
    }

    /// <summary>Forgets which manifests were found whole.</summary>
    public void Clear()
    {
        _good.Clear();
        lengths.Clear();
    }

    private async Task CheckAsync(Manifest manifest, ReferenceList references, Findings findings, CancellationToken cancel)
    {
        if (references.Manifest != manifest.Key)
        {
            findings.Add(manifest.References.Key, "are the references of another manifest");
        }

        foreach (var missing in new[] { manifest.Plan.Key, manifest.Index.Key }.Except(references.Objects))
        {
            findings.Add(manifest.References.Key, $"do not name {missing}, which could be collected as garbage");
        }

        foreach (var key in references.Objects)
        {
            await RequireAsync(key, null, findings, cancel);
        }

        await CheckWrapsAsync(references, findings, cancel);
        var (stored, whole) = (0L, true);
        foreach (var run in references.Segments)
        {
            var bytes = 0L;
            foreach (var key in run.Keys)
            {
                var length = await RequireAsync(key, null, findings, cancel);
                bytes += length ?? 0;
                whole &= length is not null;
            }

            stored += bytes;
            if (whole && bytes < run.LiveBytes)
            {
                findings.Add(run.Keys.First(), $"and what follows, to segment {run.Last}, have {bytes} bytes, fewer than the {run.LiveBytes} that the point needs of them");
            }
        }

        // The first revision names the point's own segments, all of them and no others.
        if (manifest.Revision == 1 && whole && stored != manifest.StoredBytes)
        {
            findings.Add(manifest.References.Key, $"name segments of {stored} bytes, where the manifest says {manifest.StoredBytes}");
        }
    }

    /// <summary>No list names the keys of attempts: who needs a segment needs its attempt's.</summary>
    private async Task CheckWrapsAsync(ReferenceList references, Findings findings, CancellationToken cancel)
    {
        foreach (var (point, attempt) in repository.Seal is null ? [] : references.Segments.Select(r => (r.Point, r.Attempt)).Distinct())
        {
            Objects++;
            if (!(await lengths.FindWrapsAsync(point, attempt, cancel)).Any())
            {
                findings.Add($"{Keys.WrapsOf(point, attempt)}*", "is missing: without it the segments of that attempt can't be opened");
            }
        }
    }

    private async Task<long?> RequireAsync(string key, long? expected, Findings findings, CancellationToken cancel)
    {
        Objects++;
        var length = await lengths.FindAsync(key, cancel);
        if (length is null)
        {
            findings.Add(key, "is missing");
        }
        else if (expected is { } e && e != length)
        {
            findings.Add(key, $"has {length} bytes instead of {e}");
        }

        return length;
    }
}
