using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Jobs;

/// <summary>The records of one image, in the hands of whoever holds its lease.</summary>
public sealed class ImageJobs(IStateStore state, ILease lease)
{
    /// <summary>The unfinished jobs, oldest first.</summary>
    public async Task<IReadOnlyList<JobRecord>> ReadAsync(CancellationToken cancel) => Jobs(await state.ReadAsync(lease.Name, cancel));

    /// <summary>The image's binding to the point that it was restored from; null where there is none.</summary>
    public async Task<RestoreBinding?> ReadBindingAsync(CancellationToken cancel)
    {
        var records = await state.ReadAsync(lease.Name, cancel);
        return records.TryGetValue(StateKeys.Binding, out var json) ? JsonSerializer.Deserialize(json, JobJson.Default.RestoreBinding) : null;
    }

    /// <summary>True where somebody asked for a job's end.</summary>
    public async Task<bool> IsCancelledAsync(PointId point, CancellationToken cancel) =>
        (await state.ReadAsync(lease.Name, cancel)).ContainsKey(StateKeys.Cancel(point));

    /// <summary>Writes a job's record.</summary>
    public Task SaveAsync(JobRecord job, CancellationToken cancel) =>
        lease.UpdateAsync(new Dictionary<string, byte[]> { [StateKeys.Job(job.Point)] = job.Write() }, [], cancel);

    /// <summary>Binds the image to a point.</summary>
    public Task BindAsync(RestoreBinding binding, CancellationToken cancel) =>
        lease.UpdateAsync(
            new Dictionary<string, byte[]> { [StateKeys.Binding] = JsonSerializer.SerializeToUtf8Bytes(binding, JobJson.Default.RestoreBinding) }, [], cancel);

    /// <summary>Removes a job's record, the requests that it answers and the flag that may have ended it.</summary>
    public Task RemoveAsync(JobRecord job, CancellationToken cancel) =>
        lease.UpdateAsync(new Dictionary<string, byte[]>(), [StateKeys.Job(job.Point), StateKeys.Cancel(job.Point), .. job.RequestKeys], cancel);

    /// <summary>The jobs among an image's records, oldest first; what can't be read is left alone.</summary>
    public static IReadOnlyList<JobRecord> Jobs(IReadOnlyDictionary<string, byte[]> records) =>
        [.. records.Where(r => StateKeys.IsJob(r.Key)).Select(r => JobRecord.TryRead(r.Value)).OfType<JobRecord>().OrderBy(j => j.Point)];
}
