using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;

namespace RbdBackup.Core.Verify;

/// <summary>How points are verified.</summary>
/// <param name="Kind">How.</param>
/// <param name="SamplePercent">Source: the share of the image to compare, more than 0, at most 100.</param>
/// <param name="Scratch">Restore: the pool and namespace for scratch images; null: where the point's image is.</param>
public sealed record VerifyAsk(VerifyKind Kind, double SamplePercent = 100, (string Pool, string Namespace)? Scratch = null);

/// <summary>How verifications work.</summary>
/// <param name="Parallel">The frames that are fetched, and the parts of an image that are compared, at a time.</param>
/// <param name="Tool">The program and its version.</param>
public sealed record VerifyOptions(int Parallel, string Tool);

/// <summary>What a verification says of a point.</summary>
public enum VerifyState
{
    /// <summary>Nothing was found.</summary>
    Ok,

    /// <summary>Something was found.</summary>
    Damaged,

    /// <summary>It could not be verified this way, or is gone.</summary>
    Skipped,

    /// <summary>The store or the cluster did not let it be verified; nothing is known of the point.</summary>
    Failed,
}

/// <summary>The result for one point.</summary>
/// <param name="Point">The point.</param>
/// <param name="State">The verdict.</param>
/// <param name="Findings">What was found, the first of it.</param>
/// <param name="FindingCount">How much was found.</param>
/// <param name="Why">Why it was skipped or failed; null otherwise.</param>
/// <param name="Bytes">How many bytes were looked at.</param>
/// <param name="Seconds">How long it took.</param>
public sealed record VerifyVerdict(
    Manifest Point, VerifyState State, IReadOnlyList<Finding> Findings, long FindingCount, string? Why, long Bytes, double Seconds);

/// <summary>
/// Verifies points, one after the other, and stores each verdict beside them. What was proven for one point counts for the next, so that a chain's frames are
/// fetched once. A point that got another revision meanwhile is verified again, by that.
/// </summary>
public sealed class VerifyRunner
{
    private const int MaxRounds = 3;

    private readonly PointRepository _repository;
    private readonly VerifyOptions _options;
    private readonly IThrottle _throttle;
    private readonly TimeProvider _time;
    private readonly IImageCluster? _cluster;
    private readonly IStateStore? _state;
    private readonly ObjectLengths _lengths;
    private readonly FrameProver _frames;
    private readonly StructureCheck _structure;
    private readonly DataCheck _data;
    private string? _disk;

    /// <summary>A runner.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="cluster">The cluster, for <see cref="VerifyKind.Source"/> and <see cref="VerifyKind.Restore"/>; null: not needed.</param>
    /// <param name="state">Its state store, likewise.</param>
    /// <param name="options">How it works.</param>
    /// <param name="throttle">Holds reads of images back.</param>
    /// <param name="time">The clock.</param>
    public VerifyRunner(PointRepository repository, IImageCluster? cluster, IStateStore? state, VerifyOptions options, IThrottle throttle, TimeProvider time)
    {
        (_repository, _cluster, _state, _options, _throttle, _time) = (repository, cluster, state, options, throttle, time);
        _lengths = new ObjectLengths(repository.Store);
        _frames = new FrameProver(repository);
        _structure = new StructureCheck(repository, _lengths);
        _data = new DataCheck(repository, _lengths, _frames, options.Parallel);
    }

    /// <summary>Removes scratch images that killed runs left.</summary>
    public Task SweepAsync(Action<RbdBackupException> onLeft, CancellationToken cancel) => new ScratchImages(_cluster!, _state!).SweepAsync(onLeft, cancel);

    /// <summary>Verifies a point and stores the result.</summary>
    /// <param name="point">The point.</param>
    /// <param name="known">Other points that were read already: what it stands on may be among them.</param>
    /// <param name="ask">How.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Ends the verification; then nothing is stored.</param>
    public async Task<VerifyVerdict> RunAsync(Manifest point, IReadOnlyList<Manifest> known, VerifyAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        if (_disk != point.Disk.Key)
        {
            // Points of another disk share nothing with the last ones, but memory.
            Forget();
            _disk = point.Disk.Key;
        }

        var started = _time.GetTimestamp();
        try
        {
            var (judged, findings, bytes, skipped) = await JudgeAsync(point, known, ask, progress, cancel);
            var seconds = Math.Round(_time.GetElapsedTime(started).TotalSeconds, 3);
            if (skipped is not null)
            {
                return new VerifyVerdict(judged, VerifyState.Skipped, [], 0, skipped, bytes, seconds);
            }

            await StoreAsync(judged, ask, findings, bytes, seconds, cancel);
            return new VerifyVerdict(judged, findings.Count == 0 ? VerifyState.Ok : VerifyState.Damaged, findings.First, findings.Count, null, bytes, seconds);
        }
        catch (RbdBackupException e)
        {
            return new VerifyVerdict(point, VerifyState.Failed, [], 0, e.Message, 0, Math.Round(_time.GetElapsedTime(started).TotalSeconds, 3));
        }
    }

    private async Task<(Manifest Judged, Findings Findings, long Bytes, string? Skipped)> JudgeAsync(
        Manifest point, IReadOnlyList<Manifest> known, VerifyAsk ask, IProgressReporter progress, CancellationToken cancel)
    {
        for (var round = 1; ; round++)
        {
            var (findings, bytes, skipped) = (new Findings(), 0L, (string?)null);
            IReadOnlyList<Manifest>? chain = null;
            if (await findings.TryAsync(point.Key, async () => chain = await ChainAsync(point, known, cancel)))
            {
                try
                {
                    (bytes, skipped) = await CheckAsync(chain!, ask, findings, progress, cancel);
                }
                catch (RbdBackupException e) when (e.Kind == ErrorKind.Corrupt)
                {
                    findings.Add(point.Key, e.Message);
                }
            }

            if (findings.Count == 0 || round == MaxRounds)
            {
                return (point, findings, bytes, skipped);
            }

            // What is missing may have been removed rightly, behind a newer revision.
            if (await FindNewestAsync(point, cancel) is not { } newest)
            {
                return (point, findings, bytes, "it was removed meanwhile");
            }

            if (!await ChangedAsync(newest, chain, cancel))
            {
                return (point, findings, bytes, skipped);
            }

            Forget();
            (point, known) = (newest, []);
        }
    }

    private async Task<(long Bytes, string? Skipped)> CheckAsync(
        IReadOnlyList<Manifest> chain, VerifyAsk ask, Findings findings, IProgressReporter progress, CancellationToken cancel)
    {
        switch (ask.Kind)
        {
            case VerifyKind.Quick:
                await _structure.CheckAsync(chain, findings, cancel);
                await _data.CheckReachAsync(chain, findings, progress, cancel);
                return (0, null);
            case VerifyKind.Data:
                var before = _frames.Bytes;
                await _structure.CheckAsync(chain, findings, cancel);
                await _data.CheckDataAsync(chain, findings, progress, cancel);
                return (_frames.Bytes - before, null);
            case VerifyKind.Source:
                return await CompareSourceAsync(chain, ask.SamplePercent, findings, progress, cancel);
            default:
                return (await RestoreAsync(chain, ask.Scratch, findings, progress, cancel), null);
        }
    }

    private async Task<(long Bytes, string? Skipped)> CompareSourceAsync(
        IReadOnlyList<Manifest> chain, double percent, Findings findings, IProgressReporter progress, CancellationToken cancel)
    {
        var point = chain[^1];
        var finder = new SourceFinder(_cluster!, _state!);
        var (snapshot, why) = await finder.FindAsync(point, cancel);
        if (snapshot is null)
        {
            return (0, why);
        }

        var (opened, info) = await _cluster!.OpenSnapshotAsync(point.Disk.Spec, snapshot.SnapshotId, cancel);
        await using var image = opened;
        var (found, bytes) = (new Findings(), 0L);
        if (info.Size != point.Size)
        {
            found.Add($"{point.Disk.Spec}", $"has {info.Size} bytes at the snapshot, the point has {point.Size}");
        }
        else
        {
            bytes = await CompareAsync(chain, image, percent, found, progress, cancel);
        }

        // A snapshot that is removed under an open handle reads as newer data, without an error.
        (var still, why) = await finder.FindAsync(point, cancel);
        if (still != snapshot)
        {
            return (bytes, $"{why}: it went while the comparison ran");
        }

        findings.Add(found);
        return (bytes, null);
    }

    private async Task<long> RestoreAsync(
        IReadOnlyList<Manifest> chain, (string Pool, string Namespace)? place, Findings findings, IProgressReporter progress, CancellationToken cancel)
    {
        var point = chain[^1];
        var near = place is { } p ? new ImageSpec(p.Pool, p.Namespace, "verify") : point.Disk.Spec;
        var scratch = ScratchImages.NewName(near, _time.GetUtcNow());
        await using var lease = await _state!.AcquireAsync(StateKeys.Scratch(point.Disk.Spec), cancel);
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancel, lease.Lost);
        var bytes = 0L;
        await new ScratchImages(_cluster!, _state!).UseAsync(lease, new ScratchRecord(scratch.ToString(), point.Point, _time.GetUtcNow()), async spec =>
        {
            await _cluster!.CreateAsync(spec, point.Size, point.Layout, held.Token);
            Checkpoints.Pass("verify.made");
            await using (var target = await _cluster.OpenAsync(spec, writable: true, held.Token))
            await using (var check = await _cluster.OpenAsync(spec, writable: false, held.Token))
            {
                await new ImageFiller(_repository, _options.Parallel).FillAsync(chain, target, check, progress, held.Token);
            }

            Checkpoints.Pass("verify.filled");
            await using var image = await _cluster.OpenAsync(spec, writable: false, held.Token);
            bytes = await CompareAsync(chain, image, 100, findings, progress, held.Token);
        }, held.Token);
        return bytes;
    }

    private Task<long> CompareAsync(
        IReadOnlyList<Manifest> chain, IImage image, double percent, Findings findings, IProgressReporter progress, CancellationToken cancel)
    {
        var point = chain[^1];
        var parts = SamplePlanner.Parts(point.Size, ImageComparer.PartBytes, percent, SamplePlanner.Seed(point.Point, _time.GetUtcNow()));
        var count = SamplePlanner.CountOf((point.Size + ImageComparer.PartBytes - 1) / ImageComparer.PartBytes, percent);
        return new ImageComparer(_repository, _options.Parallel, _throttle).CompareAsync(chain, image, parts, count, findings, progress, cancel);
    }

    private Task StoreAsync(Manifest point, VerifyAsk ask, Findings findings, long bytes, double seconds, CancellationToken cancel) =>
        VerifiedResults.PutAsync(
            _repository, point.Disk.Key,
            new VerifyRecord
            {
                Format = RepositoryFormat.Version,
                Point = point.Point,
                Revision = point.Revision,
                Kind = ask.Kind,
                Verified = _time.GetUtcNow(),
                Seconds = seconds,
                Ok = findings.Count == 0,
                Bytes = bytes,
                SamplePercent = ask.Kind == VerifyKind.Source && ask.SamplePercent < 100 ? ask.SamplePercent : null,
                FindingCount = findings.Count,
                Findings = findings.First,
                Tool = _options.Tool,
            }, cancel);

    /// <summary>The chain from what is known, else from the repository: reading a disk's manifests once for each of its points would be their square.</summary>
    private async Task<IReadOnlyList<Manifest>> ChainAsync(Manifest point, IReadOnlyList<Manifest> known, CancellationToken cancel)
    {
        var chain = new List<Manifest> { point };
        while (chain[^1].Needs is { } below)
        {
            if (chain.Count > known.Count || known.FirstOrDefault(m => m.Point == below.Point && m.Disk.Key == below.Disk) is not { } found)
            {
                return await _repository.ReadChainAsync(point, cancel);
            }

            chain.Add(found);
        }

        chain.Reverse();
        return chain;
    }

    private async Task<bool> ChangedAsync(Manifest newest, IReadOnlyList<Manifest>? chain, CancellationToken cancel)
    {
        try
        {
            var now = await _repository.ReadChainAsync(newest, cancel);
            return chain is null || !now.Select(m => m.Key).SequenceEqual(chain.Select(m => m.Key));
        }
        catch (RbdBackupException e) when (Findings.IsDamage(e))
        {
            return false;
        }
    }

    private async Task<Manifest?> FindNewestAsync(Manifest point, CancellationToken cancel)
    {
        try
        {
            return await _repository.FindNewestAsync(point, cancel);
        }
        catch (RbdBackupException e) when (Findings.IsDamage(e))
        {
            return point;
        }
    }

    private void Forget()
    {
        _structure.Clear();
        _data.Clear();
    }
}
