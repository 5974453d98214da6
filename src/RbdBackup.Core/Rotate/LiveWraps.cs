using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Rotate;

/// <summary>
/// The keys of attempts in a sealed repository, wrapped, as a collection sees them: a rotation of the master key makes new ones, which supersede the older.
/// No list of references names them: who refers to an attempt's segments refers to its key.
/// </summary>
internal sealed class LiveWraps(PointRepository repository)
{
    private readonly Dictionary<(PointId, AttemptId), (int Count, int Newest)> _wraps = [];

    /// <summary>Notes an object that a listing named.</summary>
    public void Add(PointId point, string key)
    {
        if (Keys.TryParseWrap(key) is { } wrap)
        {
            _wraps[(point, wrap.Attempt)] = (_wraps.GetValueOrDefault((point, wrap.Attempt)).Count + 1, 0);
        }
    }

    /// <summary>Finds which wraps supersede others: those that open. Where none of an attempt's does, none of them is garbage.</summary>
    public async Task ResolveAsync(CancellationToken cancel)
    {
        foreach (var (point, attempt) in _wraps.Where(w => w.Value.Count > 1 && repository.Seal is not null).Select(w => w.Key).ToList())
        {
            try
            {
                _wraps[(point, attempt)] = (1, await repository.Seal!.Attempts.NewestAsync(point, attempt, cancel));
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
            {
            }
        }
    }

    /// <summary>True where no wrap of the attempt's key for a newer master key is there.</summary>
    public bool IsNewest(PointId point, AttemptId attempt, int generation) => generation >= _wraps.GetValueOrDefault((point, attempt)).Newest;
}
