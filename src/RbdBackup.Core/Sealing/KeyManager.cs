using System.Buffers;
using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>What a rotation did.</summary>
/// <param name="Generation">The master key's generation now.</param>
/// <param name="Rewrapped">How many attempts' keys were wrapped for it.</param>
public sealed record RotationResult(int Generation, int Rewrapped);

/// <summary>Keeps the key slots of a sealed repository, and rotates its master key.</summary>
public sealed class KeyManager
{
    private readonly PointRepository _repository;
    private readonly Keyring _keyring;

    /// <summary>The keys of a repository.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: it is not sealed.</exception>
    public KeyManager(PointRepository repository)
    {
        _repository = repository;
        _keyring = repository.Seal?.Keyring ?? throw new RbdBackupException(
            ErrorKind.Usage, $"the repository in {repository.Store.Url} is not sealed: it has no keys",
            "A repository is sealed when it is made with a key configured ([encryption]).");
    }

    /// <summary>The slot that the configured key opens.</summary>
    public KeySlot Current => _keyring.Opened;

    /// <summary>All slots of the newest master key, in the order of their ids.</summary>
    public async Task<IReadOnlyList<KeySlot>> ListAsync(CancellationToken cancel) =>
        [.. (await _keyring.ReadSlotsAsync(cancel)).Select(s => s.Slot).Where(s => s.Generation == Current.Generation).OrderBy(s => s.Slot, StringComparer.Ordinal)];

    /// <summary>Adds a slot that another secret opens.</summary>
    public async Task<KeySlot> AddAsync(RepositorySecret secret, string label, CancellationToken cancel)
    {
        await _keyring.LoadAsync(cancel);
        var (generation, master) = _keyring.Current;
        var slot = KeySlot.Make(_keyring.Repository, Keyring.NewSlotId(), label, generation, master, secret, _repository.Now);
        await Keyring.PutSlotAsync(_keyring.Store, slot, cancel);
        return slot;
    }

    /// <summary>Removes a slot. Whoever knew its secret and saw the store may have kept the master key: only a rotation helps against that.</summary>
    /// <exception cref="RbdBackupException">NotFound; Refused: the slot that is in use, without which nothing may open the repository.</exception>
    public async Task<KeySlot> RemoveAsync(string id, CancellationToken cancel)
    {
        var found = (await _keyring.ReadSlotsAsync(cancel)).Where(s => s.Slot.Slot == id).ToList();
        if (found.Count == 0)
        {
            throw new RbdBackupException(ErrorKind.NotFound, $"there is no key slot {id}", "'rbdbackup key list' shows the slots.");
        }

        if (id == Current.Slot)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"slot {id} is the one that the configured key opens", "Add another key, configure that one, then remove this slot.");
        }

        foreach (var (key, _) in found)
        {
            await _keyring.Store.DeleteAsync(key, cancel);
        }

        return found[0].Slot;
    }

    /// <summary>
    /// Makes a new master key, and wraps the attempts' keys for it. What was sealed under the older ones is read through them; no data moves. Only the slot
    /// in use goes on, since the other slots' secrets are not here. Killed anywhere: run it again.
    /// </summary>
    /// <param name="loseSlots">True: the other slots may go.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="RbdBackupException">Refused: there are other slots; Busy: somebody else rotates.</exception>
    public async Task<RotationResult> RotateAsync(bool loseSlots, IProgressReporter progress, CancellationToken cancel)
    {
        await using (var turn = await RotationTurn.TakeAsync(_repository, _keyring.Store, cancel))
        {
            await _keyring.LoadAsync(cancel);
            await RefuseToLoseAsync(loseSlots, cancel);
            await AdvanceAsync(turn, cancel);
        }

        return await RewrapAsync(progress, cancel);
    }

    private async Task RefuseToLoseAsync(bool loseSlots, CancellationToken cancel)
    {
        var others = (await _keyring.ReadSlotsAsync(cancel)).Where(s => s.Slot.Slot != Current.Slot && s.Slot.Generation == Current.Generation).Select(s => s.Slot.Slot).Distinct().ToList();
        if (others.Count > 0 && !loseSlots)
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"the secrets of slots {string.Join(", ", others)} are not here, so that they can't get the new master key",
                "Give --lose-slots to remove them, and add their keys again afterwards ('rbdbackup key add').");
        }
    }

    /// <summary>
    /// Wraps for the newest master key what is wrapped for an older one, and removes the older slots: what a rotation that was killed, or a worker that did
    /// not know of it, left.
    /// </summary>
    public async Task<RotationResult> RewrapAsync(IProgressReporter progress, CancellationToken cancel)
    {
        await _keyring.LoadAsync(cancel);
        var stale = new Dictionary<(PointId Point, AttemptId Attempt), int>();
        await foreach (var stored in _keyring.Store.ListAsync(Keys.DataPrefix, cancel))
        {
            if (Keys.PointOfData(stored.Key) is { } point && Keys.TryParseWrap(stored.Key) is { } wrap)
            {
                stale[(point, wrap.Attempt)] = Math.Max(wrap.Generation, stale.GetValueOrDefault((point, wrap.Attempt)));
            }
        }

        var (done, failed) = (0, (RbdBackupException?)null);
        foreach (var ((point, attempt), generation) in stale.Where(s => s.Value < Current.Generation))
        {
            try
            {
                await _repository.Seal!.Attempts.RewrapAsync(point, attempt, cancel);
                Checkpoints.Pass("key.rewrapped");
                progress.Report("wrap keys", ++done, stale.Count, "{key}");
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound)
            {
                // Its segments are lost, or were collected meanwhile; the others' keys must go on.
                failed = e.Kind == ErrorKind.Corrupt ? e : failed;
            }
        }

        await SweepAsync(cancel);
        return failed is null ? new RotationResult(Current.Generation, done) : throw failed;
    }

    /// <summary>Removes the slots of older generations, and what a killed rotation left of a master key that never was.</summary>
    private async Task SweepAsync(CancellationToken cancel)
    {
        var useless = (await _keyring.ReadSlotsAsync(cancel)).Where(s => s.Slot.Generation < Current.Generation).Select(s => s.Key).ToList();
        for (var generation = 1; generation < Current.Generation; generation++)
        {
            useless.AddRange(await _keyring.FindUselessAsync(generation, cancel));
        }

        foreach (var key in useless)
        {
            await _keyring.Store.DeleteAsync(key, cancel);
            Checkpoints.Pass("key.removed");
        }
    }

    /// <summary>The new master key: the older one under it first, then the slot, which is the commit.</summary>
    private async Task AdvanceAsync(RotationTurn turn, CancellationToken cancel)
    {
        var (generation, master) = _keyring.Current;
        var (slot, next) = (Current, Aead.NewKey());
        if (generation == SealedBlocks.MaxGeneration)
        {
            throw new RbdBackupException(ErrorKind.Unsupported, $"the master key was rotated {generation} times, and can't be again");
        }

        var older = OlderMaster.Make(_keyring.Repository, generation, master, next);
        var json = new ReadOnlySequence<byte>(JsonSerializer.SerializeToUtf8Bytes(older, KeysJson.Default.OlderMaster));
        await _keyring.Store.PutAsync(Keys.OlderMaster(generation, AttemptId.New()), json, cancel);
        Checkpoints.Pass("key.older");
        turn.Confirm();
        await Keyring.PutSlotAsync(_keyring.Store, _keyring.Remake(slot.Slot, slot.Label, generation + 1, next, _repository.Now), cancel);
        Checkpoints.Pass("key.slot");
    }
}
