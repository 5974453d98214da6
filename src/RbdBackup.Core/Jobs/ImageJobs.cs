using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Jobs;

/// <summary>The records of one image, in the hands of whoever holds its lease.</summary>
public sealed class ImageJobs(IStateStore state, ILease lease)
{
    private const string AnsweredKey = "answered";
    private const int AnsweredKept = 32;

    /// <summary>The unfinished jobs, oldest first.</summary>
    public async Task<IReadOnlyList<JobRecord>> ReadAsync(CancellationToken cancel) => Jobs(await state.ReadAsync(lease.Name, cancel));

    /// <summary>The image's binding to the point that it was restored from; null where there is none.</summary>
    public async Task<RestoreBinding?> ReadBindingAsync(CancellationToken cancel)
    {
        var records = await state.ReadAsync(lease.Name, cancel);
        return records.TryGetValue(StateKeys.Binding, out var json) ? JsonSerializer.Deserialize(json, JobJson.Default.RestoreBinding) : null;
    }

    /// <summary>Fails where the image was released a moment ago, and may have no snapshot of ours now.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/>, with the time until when.</exception>
    public async Task RefuseIfHeldAsync(ImageSpec image, DateTimeOffset now, CancellationToken cancel)
    {
        if (DiskHold.Of(await state.ReadAsync(lease.Name, cancel))?.WhyWait(image, now) is { } why)
        {
            throw why;
        }
    }

    /// <summary>True where somebody asked for a job's end.</summary>
    public async Task<bool> IsCancelledAsync(PointId point, CancellationToken cancel) =>
        (await state.ReadAsync(lease.Name, cancel)).ContainsKey(StateKeys.Cancel(point));

    /// <summary>True while one of these requests waits for an answer.</summary>
    public async Task<bool> AnyWaitsAsync(IReadOnlyList<string> requestKeys, CancellationToken cancel)
    {
        var records = await state.ReadAsync(lease.Name, cancel);
        return requestKeys.Any(records.ContainsKey);
    }

    /// <summary>Writes a job's record.</summary>
    public Task SaveAsync(JobRecord job, CancellationToken cancel) =>
        lease.UpdateAsync(new Dictionary<string, byte[]> { [StateKeys.Job(job.Point)] = job.Write() }, [], cancel);

    /// <summary>Binds the image to a point.</summary>
    public Task BindAsync(RestoreBinding binding, CancellationToken cancel) =>
        lease.UpdateAsync(
            new Dictionary<string, byte[]> { [StateKeys.Binding] = JsonSerializer.SerializeToUtf8Bytes(binding, JobJson.Default.RestoreBinding) }, [], cancel);

    /// <summary>
    /// Removes a job's record, the requests that it answers and the flag that may have ended it. What was answered is remembered for a while: a message may
    /// come twice.
    /// </summary>
    public async Task RemoveAsync(JobRecord job, CancellationToken cancel)
    {
        var records = await state.ReadAsync(lease.Name, cancel);
        var set = job.RequestKeys.Count > 0 ? WithAnswered(records, job.RequestKeys) : [];
        await lease.UpdateAsync(set, [StateKeys.Job(job.Point), StateKeys.Cancel(job.Point), .. job.RequestKeys], cancel);
    }

    /// <summary>Removes requests that can't be answered.</summary>
    public async Task RemoveRequestsAsync(CancellationToken cancel)
    {
        var keys = (await state.ReadAsync(lease.Name, cancel)).Keys.Where(StateKeys.IsRequest).ToList();
        await lease.UpdateAsync(new Dictionary<string, byte[]>(), keys, cancel);
    }

    /// <summary>The keys of the requests that were answered last, oldest first.</summary>
    public static IReadOnlyList<string> Answered(IReadOnlyDictionary<string, byte[]> records)
    {
        try
        {
            return records.TryGetValue(AnsweredKey, out var json) ? JsonSerializer.Deserialize(json, JobJson.Default.StringArray) ?? [] : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    /// <summary>The record that remembers the requests that are answered now, beside those before.</summary>
    public static Dictionary<string, byte[]> WithAnswered(IReadOnlyDictionary<string, byte[]> records, IEnumerable<string> requestKeys) => new()
    {
        [AnsweredKey] = JsonSerializer.SerializeToUtf8Bytes([.. Answered(records).Concat(requestKeys).TakeLast(AnsweredKept)], JobJson.Default.StringArray),
    };

    /// <summary>The jobs among an image's records, oldest first; what can't be read is left alone.</summary>
    public static IReadOnlyList<JobRecord> Jobs(IReadOnlyDictionary<string, byte[]> records) =>
        [.. records.Where(r => StateKeys.IsJob(r.Key)).Select(r => JobRecord.TryRead(r.Value)).OfType<JobRecord>().OrderBy(j => j.Point)];
}
