using System.Buffers;
using System.Security.Cryptography;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Core.Copy;

/// <summary>What there is to know of the keys of a copy.</summary>
/// <param name="Own">True where the master key was rotated there: slots are not brought any more.</param>
/// <param name="Lost">Slots that went there, since the master key was rotated here and they did not get the new one.</param>
public sealed record CopyKeys(bool Own, IReadOnlyList<KeySlot> Lost);

/// <summary>
/// Brings the key slots and the older master keys of a sealed repository to another store of it, before anything that they open: so whoever opens the one opens
/// the other, also after a rotation of the master key here. Where it was rotated there, that store keeps its own.
/// </summary>
internal sealed class KeyCopier(Keyring source, IObjectStore target)
{
    /// <summary>Brings what lacks there.</summary>
    /// <param name="secret">What is to open the other store.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Refused"/>: the secret would not open what is brought; nothing was stored.</exception>
    public async Task CopyAsync(RepositorySecret secret, CancellationToken cancel)
    {
        await source.LoadAsync(cancel);
        var newest = source.Current.Generation;
        var there = await source.In(target).ReadSlotsAsync(cancel);
        var generation = there.Select(s => s.Slot.Generation).DefaultIfEmpty().Max();
        if (!await IsSharedAsync(there, generation, secret, cancel))
        {
            return;
        }

        var slots = (await source.ReadSlotsAsync(cancel)).Where(s => s.Slot.Generation == newest).ToList();
        if (generation < newest && secret != source.Secret && !slots.Exists(s => s.Slot.TryOpen(secret) is not null))
        {
            throw new RbdBackupException(
                ErrorKind.Refused, $"the key that is configured for {target.Url} opens no slot of the repository in {source.Store.Url}, whose slots the copy gets",
                "Add that key to this repository ('rbdbackup key add'), or leave [encryption] out of the other site's file: then this one's key opens both.");
        }

        for (var older = 1; older < newest; older++)
        {
            if ((await source.In(target).FindOlderAsync(older, cancel)).Count == 0)
            {
                await BringAsync(await source.FindOlderAsync(older, cancel), cancel);
            }
        }

        Checkpoints.Pass("copy.older");
        await BringAsync(slots.Select(s => s.Key).Except(there.Select(s => s.Key)), cancel);
        Checkpoints.Pass("copy.slots");
    }

    /// <summary>Lets a copy follow a rotation: what is wrapped there for an older master key is wrapped for the newest one, then the older slots go.</summary>
    public static async Task<CopyKeys> FollowAsync(Keyring source, PointRepository target, IProgressReporter progress, CancellationToken cancel)
    {
        var (there, generation) = (target.Seal!.Keyring, target.Seal.Keyring.Current.Generation);
        var common = Math.Min(generation, source.Current.Generation);
        var (ours, theirs) = (await source.FindAsync(common, cancel), await there.FindAsync(common, cancel));
        var own = generation > source.Current.Generation || !CryptographicOperations.FixedTimeEquals(ours, theirs);
        var slots = (await there.ReadSlotsAsync(cancel)).Select(s => s.Slot).ToLookup(s => s.Generation < generation);
        if (slots[true].Any())
        {
            await new KeyManager(target).RewrapAsync(progress, cancel);
        }

        return new CopyKeys(own, [.. slots[true].ExceptBy(slots[false].Select(s => s.Slot), s => s.Slot)]);
    }

    /// <summary>True where the newest master key there is one of this store's: of the first generation it is, since the repository was made once.</summary>
    private async Task<bool> IsSharedAsync(IReadOnlyList<StoredSlot> there, int generation, RepositorySecret secret, CancellationToken cancel)
    {
        if (generation <= 1 || generation > source.Current.Generation)
        {
            return generation <= 1;
        }

        var ours = await source.FindAsync(generation, cancel);
        var theirs = there.Where(s => s.Slot.Generation == generation).Select(s => s.Slot.TryOpen(source.Secret) ?? s.Slot.TryOpen(secret)).FirstOrDefault(m => m is not null);
        return theirs is not null ? CryptographicOperations.FixedTimeEquals(ours, theirs) : (await source.In(target).FindOlderAsync(generation - 1, cancel)).Count > 0;
    }

    private async Task BringAsync(IEnumerable<string> keys, CancellationToken cancel)
    {
        foreach (var key in keys)
        {
            await target.PutAsync(key, new ReadOnlySequence<byte>(await source.Store.GetAsync(key, RepositoryFormat.MaxJson, cancel)), cancel);
        }
    }
}
