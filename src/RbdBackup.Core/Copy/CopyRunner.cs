using System.Buffers;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Sealing;
using RbdBackup.Core.Servers;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Copy;

/// <summary>
/// Copies points into another store, each with all that it stands on and with its pin: data before index before manifest, only what lacks there. The copy is the
/// same repository at another site: keys, bytes and id are the same; of a sealed one, the bytes when they are opened, and attempts' keys are wrapped anew. Killed
/// anywhere, the same copy again goes on; what a killed one left without a manifest, gc collects there.
/// </summary>
public sealed class CopyRunner
{
    private const int MaxRounds = 3;

    private readonly PointRepository _source;
    private readonly PointRepository _target;
    private readonly PointObjects _objects;
    private readonly HashSet<string> _done = [];
    private KeySet _going = new();
    private IReadOnlyDictionary<PointId, Pin> _pins = new Dictionary<PointId, Pin>();

    /// <summary>A runner.</summary>
    /// <param name="source">Where points are copied from.</param>
    /// <param name="target">Where they are copied to (<see cref="OpenTargetAsync"/>).</param>
    /// <param name="parallel">The objects that are copied at a time, each held in memory.</param>
    public CopyRunner(PointRepository source, PointRepository target, int parallel)
    {
        (_source, _target) = (source, target);
        _objects = new PointObjects(source, target, parallel);
    }

    /// <summary>Opens the other store: with the header of this repository where it has none, and with this one's key slots before that, where it is sealed.</summary>
    /// <param name="source">This repository.</param>
    /// <param name="store">The other store.</param>
    /// <param name="secret">What opens it; null: what opened this repository, if it is sealed.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="RbdBackupException">Refused: it holds another repository, or the secret is none of this one's; Permission: the secret does not open it.</exception>
    public static async Task<PointRepository> OpenTargetAsync(
        PointRepository source, IObjectStore store, RepositorySecret? secret, TimeProvider time, CancellationToken cancel)
    {
        await store.CheckAsync(cancel);
        var header = await PointRepository.ReadHeaderAsync(store, cancel);
        if (header is not null && header.Id != source.Header.Id)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"{store.Url} holds another repository ({header.Id}) than {source.Store.Url} ({source.Header.Id})",
                "Copy to an empty place, or to an earlier copy of this repository.");
        }

        if (source.Seal is null && secret is not null)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"the repository in {source.Store.Url} is not sealed, although a key is configured for {store.Url}",
                "A copy is as its repository is. Take the key out of the other site's [encryption].");
        }

        if (source.Seal is { } seal)
        {
            secret ??= seal.Keyring.Secret;
            await new KeyCopier(seal.Keyring, store).CopyAsync(secret, cancel);
        }

        if (header is null)
        {
            // The header that counts; one of two that were made at once stays behind.
            var first = await source.Store.ListAsync(Keys.HeaderPrefix, cancel).FirstAsync(cancel);
            await store.PutAsync(first.Key, new ReadOnlySequence<byte>(await source.Store.GetAsync(first.Key, RepositoryFormat.MaxJson, cancel)), cancel);
        }

        return await PointRepository.OpenAsync(store, source.Codec, time, secret, create: false, cancel);
    }

    /// <summary>
    /// Takes back what the other store's gc wrote down as garbage: an object that a killed copy left may be needed again now. It is written down anew, and waits
    /// a whole grace, if it still is garbage then. What a collection is deleting right now is not counted on. Where this repository's master key was rotated, the
    /// attempts' keys there are wrapped for it, too.
    /// </summary>
    /// <returns>What there is to know of the other store's keys.</returns>
    public async Task<CopyKeys> PrepareAsync(IProgressReporter progress, CancellationToken cancel)
    {
        foreach (var list in await _target.Store.ListAsync(Keys.GarbagePrefix, cancel).ToListAsync(cancel))
        {
            await _target.Store.DeleteAsync(list.Key, cancel);
        }

        _going = await GarbageLists.ReadAnnouncedAsync(_target, cancel);
        _pins = await new PinStore(_source).ReadAsync(onDamaged: null, cancel);
        return _source.Seal is null ? new CopyKeys(false, []) : await KeyCopier.FollowAsync(_source.Seal.Keyring, _target, progress, cancel);
    }

    /// <summary>Copies a point and all that it stands on.</summary>
    public async Task<CopyResult> RunAsync(Manifest point, IProgressReporter progress, CancellationToken cancel)
    {
        try
        {
            for (var round = 1; ; round++)
            {
                try
                {
                    return await CopyChainAsync(point, progress, cancel);
                }
                catch (RbdBackupException e) when (Findings.IsDamage(e) && round < MaxRounds)
                {
                    // What is missing here may have been removed rightly, behind a newer revision.
                    var newest = await _source.FindNewestAsync(point, cancel);
                    if (newest is null)
                    {
                        return new CopyResult(point, CopyState.Gone, 0, 0, null);
                    }

                    _objects.Forget();
                    point = newest;
                }
            }
        }
        catch (RbdBackupException e)
        {
            return new CopyResult(point, Findings.IsDamage(e) ? CopyState.Damaged : CopyState.Failed, 0, 0, e.Message);
        }
    }

    /// <summary>Copies the server points that the other store lacks, of those whose disks' points are all there. Comes after the points.</summary>
    /// <returns>How many were copied.</returns>
    public async Task<int> CopyServersAsync(Action<RbdBackupException> onDamaged, CancellationToken cancel)
    {
        var (there, copied) = (new ServerPointStore(_target), 0);
        var known = await there.ListAsync(null, cancel).ToHashSetAsync(cancellationToken: cancel);
        HashSet<PointId>? present = null;
        await foreach (var point in new ServerPointStore(_source).ReadAllAsync(null, onDamaged, cancel))
        {
            if (known.Contains(point.Key) || !IsWhole(point, present ??= await there.ReadPresentAsync(cancel)))
            {
                continue;
            }

            var manifest = await _source.Store.GetAsync(point.Key, RepositoryFormat.MaxJson, cancel);
            ServerPointStore.Read(manifest, point.Key);
            await _target.Store.PutAsync(point.Key, new ReadOnlySequence<byte>(manifest), cancel);
            Checkpoints.Pass("copy.server");
            copied++;
        }

        return copied;
    }

    private static bool IsWhole(ServerPoint point, HashSet<PointId> present) => point.Disks.All(d => present.Contains(d.Point));

    private async Task<CopyResult> CopyChainAsync(Manifest point, IProgressReporter progress, CancellationToken cancel)
    {
        var sight = await LookAsync(point, cancel);
        if (CopyPlanner.Decide(point, sight) == CopyAction.Leave)
        {
            return new CopyResult(point, CopyState.Left, 0, 0, null);
        }

        var (objects, bytes) = await EnsureAsync(point, sight, progress, cancel);
        return new CopyResult(point, objects > 0 ? CopyState.Copied : CopyState.Present, objects, bytes, null);
    }

    /// <summary>Sees to it that a point is there, and what it stands on there: which may be less than here, where the other store made it independent.</summary>
    private async Task<(long Objects, long Bytes)> EnsureAsync(Manifest point, CopySight sight, IProgressReporter progress, CancellationToken cancel)
    {
        if (_done.Contains(point.Key))
        {
            return (0, 0);
        }

        var action = CopyPlanner.Decide(point, sight);
        var wanted = action == CopyAction.Mend ? sight.Newest! : point;
        var (objects, bytes) = await EnsureBelowAsync(wanted, progress, cancel);
        var references = await (wanted.Key == point.Key ? _source : _target).ReadReferencesAsync(wanted, cancel);
        RequireStaying(action, point, references);
        var own = await _objects.CopyAsync(wanted, references, _going, progress, cancel);
        var pin = _pins.TryGetValue(point.Point, out var pinned) ? await new PinStore(_target).AdoptAsync(pinned, cancel) : 0;
        (objects, bytes) = (objects + own.Objects + (pin > 0 ? 1 : 0), bytes + own.Bytes + pin);
        if (action == CopyAction.Copy)
        {
            await _objects.RequireWholeAsync(point, references, cancel);
            Checkpoints.Pass("copy.copied");
            var manifest = await _source.Store.GetAsync(point.Key, RepositoryFormat.MaxJson, cancel);
            ManifestCodec.Read(manifest, point.Key);
            await _target.Store.PutAsync(point.Key, new ReadOnlySequence<byte>(manifest), cancel);
            Checkpoints.Pass("copy.committed");
            await TakeBackIfBaseGoneAsync(point, cancel);
            (objects, bytes) = (objects + 1, bytes + manifest.Length);
        }

        _done.Add(point.Key);
        return (objects, bytes);
    }

    /// <summary>
    /// A removal there voids a point and then looks for others that stand on it; a copy commits and then looks at what its point stands on: whichever comes second sees
    /// the other. A higher revision that the removal made of it stands alone, and stays.
    /// </summary>
    private async Task TakeBackIfBaseGoneAsync(Manifest point, CancellationToken cancel)
    {
        if (point.Needs is { } below && await _target.Store.StatAsync(Keys.Aborted(below.Disk, below.Point), cancel) is not null)
        {
            await _target.Store.DeleteAsync(point.Key, cancel);
            throw new RbdBackupException(
                ErrorKind.Busy, $"point {below.Point}, which point {point.Point} stands on, was removed in {_target.Store.Url} while it was copied",
                "Copy again: what is needed there then is copied, or the point is said to stand on what was removed.");
        }
    }

    /// <summary>No manifest there names an object that a collection is deleting; this point's shall not be the first.</summary>
    private void RequireStaying(CopyAction action, Manifest point, ReferenceList references)
    {
        if (action == CopyAction.Copy && CopyPlanner.Order(point, references).FirstOrDefault(_going.Contains) is { } going)
        {
            throw new RbdBackupException(
                ErrorKind.Busy, $"a collection in {_target.Store.Url} is deleting {going}, which an earlier copy left and point {point.Point} needs",
                "Copy it again when that 'gc' has ended; where it was killed, [rotation] grace later and after another one.");
        }
    }

    private async Task<(long Objects, long Bytes)> EnsureBelowAsync(Manifest point, IProgressReporter progress, CancellationToken cancel)
    {
        if (point.Needs is not { } below)
        {
            return (0, 0);
        }

        var found = await _source.FindNewestAsync(below.Disk, below.Point, cancel) ?? await _source.ReadVoidedAsync(below, cancel)
            ?? throw RepositoryFormat.Corrupt(point.Key, $"stands on point {below.Point}, which is missing");
        var sight = await LookAsync(found, cancel);
        return CopyPlanner.Decide(found, sight) == CopyAction.Leave
            ? throw new RbdBackupException(
                ErrorKind.Refused, $"point {point.Point} stands on point {below.Point}, which was removed in {_target.Store.Url}",
                $"Run 'rbdbackup consolidate {point.Point}', then copy it: it stands alone then.")
            : await EnsureAsync(found, sight, progress, cancel);
    }

    private async Task<CopySight> LookAsync(Manifest point, CancellationToken cancel)
    {
        var voided = await _target.Store.StatAsync(Keys.Aborted(point.Disk.Key, point.Point), cancel) is not null;
        return new CopySight(voided, voided ? null : await _target.FindNewestAsync(point, cancel));
    }
}
