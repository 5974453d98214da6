using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Tenants;

/// <summary>What servers, volumes and snapshots asked for, in RADOS: 256 objects, each with a lease for whoever looks at one of its subjects.</summary>
internal sealed class TenantRecords(IStateStore state, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    /// <summary>A subject's record; null where it has none.</summary>
    public async Task<Asking?> ReadAsync(Subject subject, CancellationToken cancel) =>
        (await state.ReadAsync(StateKeys.TenantsOf(subject.Id), cancel)).TryGetValue(subject.Key, out var json) ? Parse(json) : null;

    /// <summary>All records.</summary>
    public async Task<IReadOnlyDictionary<Subject, Asking>> ReadAllAsync(CancellationToken cancel)
    {
        var all = new Dictionary<Subject, Asking>();
        for (var part = 0; part < 256; part++)
        {
            foreach (var (key, json) in await state.ReadAsync(StateKeys.TenantsOf($"{part:x2}"), cancel))
            {
                if (Subject.OfKey(key) is { } subject && Parse(json) is { } asking)
                {
                    all[subject] = asking;
                }
            }
        }

        return all;
    }

    /// <summary>Takes the right to look at a subject and to write its record; waits while another look has it.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/> where that takes too long: a worker died, and its lease has not lapsed yet.</exception>
    public async Task<ILease> LeaseAsync(Subject subject, CancellationToken cancel)
    {
        for (var from = time.GetTimestamp(); ;)
        {
            try
            {
                return await state.AcquireAsync(StateKeys.TenantsOf(subject.Id), cancel);
            }
            catch (RbdBackupException e) when (e.Kind == ErrorKind.Busy && time.GetElapsedTime(from) < Patience)
            {
                await Task.Delay(Poll * (0.5 + Random.Shared.NextDouble()), time, cancel);
            }
        }
    }

    /// <summary>Writes a subject's record, or removes it.</summary>
    public static Task WriteAsync(ILease lease, Subject subject, Asking? asking, CancellationToken cancel) => lease.UpdateAsync(
        asking is null ? [] : new Dictionary<string, byte[]> { [subject.Key] = JsonSerializer.SerializeToUtf8Bytes(asking, AskingJson.Default.Asking) },
        asking is null ? [subject.Key] : [],
        cancel);

    private static Asking? Parse(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, AskingJson.Default.Asking);
        }
        catch (JsonException)
        {
            // A newer program's, or damage: as if it had never been seen.
            return null;
        }
    }
}
