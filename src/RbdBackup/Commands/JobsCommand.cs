using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Servers;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup jobs [cancel | retry POINT]</c>.</summary>
internal static class JobsCommand
{
    private static readonly Argument<string> Point = new("POINT") { Description = "The job's id: of the point that it makes, or of the wish for a server point." };

    public static Command Create() => new Command("jobs", "Lists jobs: running, waiting (for images and for whole servers), failed, and finished in the last days.")
    {
        new Command("cancel", "Ends a job; nothing is left of it.") { Point }.Runs(CancelAsync),
        new Command("retry", "Tries a job now: one that waits for its next try, or one that was given up.") { Point }.Runs(RetryAsync),
    }.Runs(ListAsync);

    /// <summary>A job, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record JobDocument(
        string Id, string? Image, string? Server, string State, DateTimeOffset Created, int Tries, DateTimeOffset? NextTry, string? LastError, string? Holder, DateTimeOffset? Ended);

    private static async Task ListAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectAsync(cancel);
        await using var state = Services.OpenState(cluster);
        var jobs = new List<JobDocument>();
        RbdBackupException? silent = null;
        await foreach (var name in TolerantAsync(state.ListAsync(cancel).Where(n => StateKeys.IsImage(n) || StateKeys.IsServer(n)), e => silent = e))
        {
            var records = await state.ReadAsync(name, cancel);
            var holder = records.Count > 0 ? await state.GetHolderAsync(name, cancel) : null;
            if (StateKeys.IsServer(name))
            {
                jobs.AddRange(ServerRequest.Waiting(records).Select(r => Document(r, holder)));
                continue;
            }

            jobs.AddRange(ImageJobs.Jobs(records).Select(j => Document(j, holder)));
            var taken = ImageJobs.Jobs(records).SelectMany(j => j.RequestKeys).ToHashSet();
            jobs.AddRange(records.Where(r => StateKeys.IsRequest(r.Key) && !taken.Contains(r.Key)).Select(r => Waiting(r.Value)));
        }

        var finished = await repository.ReadFinishedJobsAsync(cancel);
        jobs.AddRange(finished.Select(j => Document(j, null)));
        context.Output.Write(jobs, DocumentJson.Shared.IEnumerableJobDocument, human => human.Table(
            ["ID", "IMAGE OR SERVER", "STATE", "CREATED", ">TRIES", "NEXT TRY", "ERROR"],
            jobs.Select(j => (string[])[j.Id, j.Image ?? $"server {j.Server}", j.State, Humanize.Time(j.Created), j.Tries.ToString(), j.NextTry is { } n ? Humanize.Time(n) : "", j.LastError ?? ""])));
        if (silent is not null)
        {
            throw new RbdBackupException(ErrorKind.Partial, $"of not all clusters the jobs are known: {silent.Message}", silent.Remedy, silent);
        }
    }

    /// <summary>The names up to the error that ends them, which is told of instead of thrown: of several clusters one may be down.</summary>
    private static async IAsyncEnumerable<string> TolerantAsync(IAsyncEnumerable<string> names, Action<RbdBackupException> onError)
    {
        await using var each = names.GetAsyncEnumerator();
        while (true)
        {
            try
            {
                if (!await each.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (RbdBackupException e)
            {
                onError(e);
                yield break;
            }

            yield return each.Current;
        }
    }

    private static async Task CancelAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectAsync(cancel);
        await using var state = Services.OpenState(cluster);
        if (DedupKey.TryParse(context.Get(Point), out var key))
        {
            await ServerJobs.CancelAsync(context, state, key.Value, cancel);
            return;
        }

        var point = PointId.Parse(context.Get(Point));
        var (name, job) = await FindAsync(state, point, cancel) ?? throw NoJob(point);
        await state.WriteUnleasedAsync(name, StateKeys.Cancel(point), [], cancel);
        var running = await state.GetHolderAsync(name, cancel) is not null;
        if (!running)
        {
            await services.Backup(cluster, state, repository, services.Throttle()).ForgetAsync(name, ImageSpec.Parse(job.Image), "cancelled by 'jobs cancel'", cancel, point);
        }

        context.Output.Write(
            new CancelledDocument(point.ToString(), job.Image, running, !running), DocumentJson.Shared.CancelledDocument,
            human => human.Line(running ? $"{point} is asked to end; 'rbdbackup jobs' shows when it has." : $"{point} is cancelled; nothing is left of it."));
    }

    private static async Task RetryAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        await using var cluster = await services.ConnectAsync(cancel);
        await using var state = Services.OpenState(cluster);
        if (DedupKey.TryParse(context.Get(Point), out var key))
        {
            await ServerJobs.RetryAsync(context, state, key.Value, cancel);
            return;
        }

        var point = PointId.Parse(context.Get(Point));
        var unfinished = (await FindAsync(state, point, cancel))?.Job;
        var job = unfinished
            ?? (await repository.ReadFinishedJobsAsync(cancel)).LastOrDefault(j => j.Point == point && j.State != JobState.Finished)
            ?? throw NoJob(point);
        if (job.ServerPoint is { } of)
        {
            throw new RbdBackupException(ErrorKind.Usage, $"job {point} was a disk of a server point, which is made anew as a whole", $"Run 'rbdbackup backup server {of.Server}'.");
        }

        var ask = new BackupAsk(
            ImageSpec.Parse(job.Image), job.OwnSnapshot ? null : job.SnapshotName, job.Full, job.Policy, job.CycleDays,
            new AskedBy(AskedSource.Cli, User: Environment.UserName, Volume: job.AskedBy.Volume))
        { RequestKeys = unfinished?.RequestKeys ?? [], Resume = unfinished?.Point };
        var manifest = await services.Backup(cluster, state, repository, services.Throttle()).RunAsync(ask, context.Progress, cancel);
        context.Output.Write(PointDocument.Of(manifest), DocumentJson.Shared.PointDocument, human => human.Line($"point {manifest.Point} of {job.Image} is there ({PointDocument.Word(manifest.Kind)})."));
    }

    private static RbdBackupException NoJob(PointId point) => new(ErrorKind.NotFound, $"there is no job {point}", "'rbdbackup jobs' shows the jobs.");

    private static async Task<(string Name, JobRecord Job)?> FindAsync(IStateStore state, PointId point, CancellationToken cancel)
    {
        await foreach (var name in ImageStatesAsync(state, cancel))
        {
            if (ImageJobs.Jobs(await state.ReadAsync(name, cancel)).FirstOrDefault(j => j.Point == point) is { } job)
            {
                return (name, job);
            }
        }

        return null;
    }

    private static IAsyncEnumerable<string> ImageStatesAsync(IStateStore state, CancellationToken cancel) => state.ListAsync(cancel).Where(StateKeys.IsImage);

    private static JobDocument Document(JobRecord job, string? holder) => new(
        job.Point.ToString(), job.Image, null,
        job.Ended is not null ? job.State.ToString().ToLowerInvariant() : holder is not null ? "running" : "waiting",
        job.Created, job.Tries, job.NextTry, job.LastError, holder, job.Ended);

    /// <summary>A wish for a server point; whoever has the server's lease answers all of them.</summary>
    private static JobDocument Document(ServerRequest request, string? holder) => new(
        request.DedupKey.ToString(), null, request.Server, holder is not null && request.Point is not null ? "running" : "waiting",
        request.Created, request.Tries, request.NextTry, request.LastError, holder, null);

    private static JobDocument Waiting(byte[] json)
    {
        var request = BackupRequestJson.Read(json);
        return new JobDocument(request.Id.ToString(), request.Image.ToString(), null, "waiting", request.Created, 0, null, null, null, null);
    }

    /// <summary>A job that ends.</summary>
    internal sealed record CancelledDocument(string Id, string Image, bool Asked, bool Cancelled);
}
