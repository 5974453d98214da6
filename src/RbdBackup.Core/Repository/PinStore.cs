using System.Buffers;
using System.Text.Json;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>The pins of a repository: each an object of its own, written once; a later one takes an earlier one's place.</summary>
public sealed class PinStore(PointRepository repository)
{
    /// <summary>Pins a point, or ends its pin.</summary>
    /// <param name="point">The point.</param>
    /// <param name="until">When the pin ends; null: now.</param>
    /// <param name="why">Why, for people.</param>
    /// <param name="by">Who does it.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">NotFound: the point went meanwhile; Busy: it is just being removed. Only what is answered with success is sure to hold.</exception>
    public async Task<Pin> PutAsync(Manifest point, DateTimeOffset? until, string why, string by, CancellationToken cancel)
    {
        var revision = (await KeysAsync(point.Point, cancel)).Select(k => k.Revision).DefaultIfEmpty().Max() + 1;
        var pin = new Pin(RepositoryFormat.Version, point.Point, point.Disk.Key, revision, repository.Now, until, why, by);
        await PutAsync(pin, cancel);

        if (until is not null)
        {
            await RequireStayingAsync(point, cancel);
        }

        return pin;
    }

    /// <summary>
    /// A removal says what it voids, looks at the pins, voids, and takes back what it said. So one that may not have seen the pin is seen here, or else the mark that it left.
    /// </summary>
    private async Task RequireStayingAsync(Manifest point, CancellationToken cancel)
    {
        var going = await GarbageLists.ReadAnnouncedAsync(repository, cancel);
        if (await repository.FindNewestAsync(point, cancel) is null)
        {
            throw new RbdBackupException(
                ErrorKind.NotFound, $"point {point.Point} of {point.Disk.Spec} was removed while it was pinned", "'rbdbackup list' shows the points that are left.");
        }

        if (going.Contains(Keys.Aborted(point.Disk.Key, point.Point)))
        {
            throw new RbdBackupException(
                ErrorKind.Busy, $"point {point.Point} of {point.Disk.Spec} is just being removed, by a 'rotate' or 'prune' that may not have seen the pin",
                "Pin it again when that has ended, if the point is still there; where it was killed, [rotation] grace later and after a 'gc'.");
        }
    }

    /// <summary>
    /// Takes over a pin that is in force at another site, where it is later than all that was said of the point here, and makes it stay longer: what was pinned or
    /// unpinned here stands.
    /// </summary>
    /// <returns>The bytes that were stored; 0 where it was not taken over.</returns>
    public async Task<int> AdoptAsync(Pin pin, CancellationToken cancel) =>
        pin.Revision > (await KeysAsync(pin.Point, cancel)).Select(k => k.Revision).DefaultIfEmpty().Max()
        && !((await ReadAsync(null, cancel, pin.Point)).GetValueOrDefault(pin.Point) is { } own && own.Until >= pin.Until)
            ? await PutAsync(pin, cancel)
            : 0;

    /// <summary>The pins in force, by point.</summary>
    /// <param name="onDamaged">Told of each pin that can't be read; its point counts as pinned.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <param name="only">The one point to look at; null: all.</param>
    public async Task<IReadOnlyDictionary<PointId, Pin>> ReadAsync(Action<RbdBackupException>? onDamaged, CancellationToken cancel, PointId? only = null) =>
        await ReadAsync(await KeysAsync(only, cancel), onDamaged, cancel);

    /// <summary>The pins in force of some points. One that can't be read pins its point.</summary>
    public async Task<IReadOnlyDictionary<PointId, Pin>> ReadAsync(IReadOnlySet<PointId> points, CancellationToken cancel) =>
        await ReadAsync((await KeysAsync(null, cancel)).Where(k => points.Contains(k.Point)), null, cancel);

    private async Task<IReadOnlyDictionary<PointId, Pin>> ReadAsync(
        IEnumerable<(string Key, PointId Point, int Revision)> all, Action<RbdBackupException>? onDamaged, CancellationToken cancel)
    {
        var pins = new Dictionary<PointId, Pin>();
        foreach (var keys in all.GroupBy(k => k.Point))
        {
            // Two that were written at once have one number: the one that keeps longer counts.
            var highest = keys.Max(k => k.Revision);
            foreach (var key in keys.Where(k => k.Revision == highest))
            {
                var pin = await ReadAsync(key, onDamaged, cancel);
                if (pin.Until > repository.Now && !(pins.TryGetValue(key.Point, out var other) && other.Until >= pin.Until))
                {
                    pins[key.Point] = pin;
                }
            }
        }

        return pins;
    }

    private async Task<int> PutAsync(Pin pin, CancellationToken cancel)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(pin, RepositoryJson.Default.Pin);
        await repository.Store.PutAsync(Keys.Pin(pin.Point, pin.Revision, AttemptId.New()), new ReadOnlySequence<byte>(json), cancel);
        return json.Length;
    }

    private async Task<Pin> ReadAsync((string Key, PointId Point, int Revision) at, Action<RbdBackupException>? onDamaged, CancellationToken cancel)
    {
        try
        {
            var pin = RepositoryFormat.ReadJson(await repository.Store.GetAsync(at.Key, RepositoryFormat.MaxJson, cancel), RepositoryJson.Default.Pin, at.Key);
            RepositoryFormat.Require(pin.Format, [], at.Key);
            return pin.Point == at.Point ? pin : throw RepositoryFormat.Corrupt(at.Key, "is the pin of another point");
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
        {
            onDamaged?.Invoke(e);
            return new Pin(RepositoryFormat.Version, at.Point, "", at.Revision, repository.Now, DateTimeOffset.MaxValue, "its pin can't be read", "");
        }
    }

    private async Task<List<(string Key, PointId Point, int Revision)>> KeysAsync(PointId? only, CancellationToken cancel)
    {
        var keys = new List<(string, PointId, int)>();
        await foreach (var stored in repository.Store.ListAsync(only is null ? Keys.PinsPrefix : $"{Keys.PinsPrefix}{only}.", cancel))
        {
            keys.AddRange(Keys.TryParsePin(stored.Key) is { } key ? [(stored.Key, key.Point, key.Revision)] : []);
        }

        return keys;
    }
}
