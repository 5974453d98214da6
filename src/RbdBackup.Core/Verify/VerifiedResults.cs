using System.Buffers;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Verify;

/// <summary>What is known of a point by its verifications.</summary>
/// <param name="At">When the one was done that counts.</param>
/// <param name="Kind">How.</param>
/// <param name="Ok">True where nothing was found.</param>
public sealed record VerifiedState(DateTimeOffset At, VerifyKind Kind, bool Ok)
{
    /// <summary>
    /// What several results say of one point: the newest counts, but damage stands until the same kind of verification, or one that looks at all that it
    /// looks at, finds none. Pure.
    /// </summary>
    /// <returns>Null where there are none.</returns>
    public static VerifiedState? Of(IEnumerable<VerifiedKey> results)
    {
        var all = results.OrderBy(r => r.At).ThenBy(r => r.Key, StringComparer.Ordinal).ToList();
        var counts = all.LastOrDefault(r => !r.Ok && !all.Any(later => later.Ok && later.At >= r.At && Includes(later.Kind, r.Kind))) ?? all.LastOrDefault();
        return counts is null ? null : new VerifiedState(counts.At, counts.Kind, counts.Ok);
    }

    private static bool Includes(VerifyKind wide, VerifyKind narrow) => wide == narrow || (wide == VerifyKind.Data && narrow == VerifyKind.Quick);
}

/// <summary>The results of verifications in a repository.</summary>
public static class VerifiedResults
{
    /// <summary>Stores a result.</summary>
    public static Task PutAsync(PointRepository repository, string disk, VerifyRecord record, CancellationToken cancel) =>
        repository.Store.PutAsync(
            Keys.Verified(disk, record.Point, record.Verified, record.Kind, record.Ok, AttemptId.New()), new ReadOnlySequence<byte>(record.Write()), cancel);

    /// <summary>What is known of the points of a disk, or (null) of all points, from one listing: no object is read.</summary>
    public static async Task<IReadOnlyDictionary<PointId, VerifiedState>> ReadAsync(PointRepository repository, string? disk, CancellationToken cancel)
    {
        var states = new Dictionary<PointId, VerifiedState>();
        var pending = new List<VerifiedKey>();
        await foreach (var stored in repository.Store.ListAsync(disk is null ? Keys.VerifiedPrefix : $"{Keys.VerifiedPrefix}{disk}/", cancel))
        {
            if (Keys.TryParseVerified(stored.Key) is { } key)
            {
                if (pending.Count > 0 && pending[0].Point != key.Point)
                {
                    states[pending[0].Point] = VerifiedState.Of(pending)!;
                    pending.Clear();
                }

                pending.Add(key);
            }
        }

        if (pending.Count > 0)
        {
            states[pending[0].Point] = VerifiedState.Of(pending)!;
        }

        return states;
    }
}
