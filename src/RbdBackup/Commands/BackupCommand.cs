using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Observe;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup backup image | volume | server | pool</c>.</summary>
internal static class BackupCommand
{
    private static readonly Argument<string> Image = new("IMAGE") { Description = "pool/name or pool/namespace/name; with @snapshot, that very snapshot is stored." };
    private static readonly Argument<string> Id = new("ID") { Description = "The id in OpenStack." };
    private static readonly Argument<string> Pool = new("POOL") { Description = "The pool, or pool/namespace." };
    private static readonly Option<bool> Full = new("--full") { Description = "A full, whatever base there is." };
    private static readonly Option<string?> Policy = new("--policy") { Description = "The policy that says when a new cycle begins and how long points stay." };
    private static readonly Option<bool> Queue = new("--queue") { Description = "Asks the workers for it, through the queue, instead of doing it here." };

    public static Command Create() => new("backup", "Makes a restore point: a full, or an increment on the last point.")
    {
        new Command("image", "Backs up an image by its name.") { Image, Full, Policy, Queue }.Runs((c, t) => OneAsync(c, c.Get(Image), null, t)),
        new Command("volume", "Backs up a Cinder volume, found by its backend where [keystone] is set: volumes/volume-ID.") { Id, Full, Policy, Queue }
            .Runs(VolumeAsync),
        ServerBackupCommand.Create(Full, Policy, Queue, (context, image, cancel) => OneAsync(context, image, null, cancel)),
        new Command("pool", "Backs up all images of a pool, one after the other.") { Pool, Full, Policy, Queue }.Runs(PoolAsync),
    };

    private static async Task VolumeAsync(CommandContext context, CancellationToken cancel)
    {
        var (image, volume) = await ImageNames.VolumeAsync(context, context.Get(Id), cancel);
        await OneAsync(context, image.ToString(), volume, cancel);
    }

    private static async Task OneAsync(CommandContext context, string text, string? volume, CancellationToken cancel)
    {
        var parts = text.Split('@', 2);
        var spec = ImageSpec.Parse(parts[0]);
        var snapshot = parts.Length > 1 ? parts[1] : null;
        if (context.Get(Queue))
        {
            await QueueAsync(context, [spec], snapshot, volume, cancel);
            return;
        }

        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: true, cancel);
        await using var cluster = await services.ConnectAsync(cancel);
        await using var state = Services.OpenState(cluster);
        var runner = services.Backup(cluster, state, repository, services.Throttle());
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        var ask = Ask(context, services, spec, snapshot, volume);
        var manifest = await new JobEvents(publisher).BackupAsync(spec, ask.Policy, null, () => runner.RunAsync(ask, context.Progress, cancel));
        context.Output.Write(PointDocument.Of(manifest), DocumentJson.Shared.PointDocument, human => Describe(human, manifest));
    }

    private static async Task PoolAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var cluster = await services.ConnectAsync(cancel);
        var (pool, ns) = context.Get(Pool).Split('/') is [var p, var n] ? (p, n) : (context.Get(Pool), "");
        var images = (await cluster.ListImagesAsync(pool, ns, cancel)).Where(PoolImages.IsDisk).Select(i => new ImageSpec(pool, ns, i)).ToList();
        if (context.Get(Queue))
        {
            await QueueAsync(context, images, null, null, cancel);
            return;
        }

        await using var repository = await services.OpenRepositoryAsync(create: true, cancel);
        await using var state = Services.OpenState(cluster);
        var runner = services.Backup(cluster, state, repository, services.Throttle());
        await using var publisher = QueueFactory.OpenEvents(context.Settings, context.Loggers, context.Time);
        var events = new JobEvents(publisher);
        var (done, failed) = (new List<PointDocument>(), new List<string>());
        foreach (var spec in images)
        {
            try
            {
                var ask = Ask(context, services, spec, null, null);
                done.Add(PointDocument.Of(await events.BackupAsync(spec, ask.Policy, null, () => runner.RunAsync(ask, context.Progress, cancel))));
            }
            catch (RbdBackupException e)
            {
                context.Note($"error: {spec}: {e.Message}. {e.Remedy}");
                failed.Add(spec.ToString());
            }
        }

        context.Output.Write(done, DocumentJson.Shared.IEnumerablePointDocument, human => human.Table(
            ["ID", "IMAGE", "KIND", ">STORED", ">TIME"],
            done.Select(d => (string[])[d.Id, d.Image, d.Kind, Humanize.Bytes(d.StoredBytes), Humanize.Duration(TimeSpan.FromSeconds(d.Seconds))])));
        if (failed.Count > 0)
        {
            throw new RbdBackupException(ErrorKind.Partial, $"{failed.Count} of {images.Count} images failed: {string.Join(", ", failed)}", "The lines above say why; run it again.");
        }
    }

    private static BackupAsk Ask(CommandContext context, Services services, ImageSpec spec, string? snapshot, string? volume)
    {
        var policy = context.Get(Policy);
        PolicyNames.RequireKnown(context.Settings, policy);
        return new BackupAsk(spec, snapshot, context.Get(Full), policy, services.CycleDaysOf(policy), By(volume));
    }

    private static AskedBy By(string? volume) => new(AskedSource.Cli, User: Environment.UserName, Volume: volume);

    private static async Task QueueAsync(CommandContext context, IReadOnlyList<ImageSpec> images, string? snapshot, string? volume, CancellationToken cancel)
    {
        PolicyNames.RequireKnown(context.Settings, context.Get(Policy));
        var requests = images.Select(spec => BackupRequest.New(
            spec, DedupKey.Of(spec, "cli", snapshot ?? Guid.NewGuid().ToString()), By(volume), context.Time.GetUtcNow())
            with
        { Snapshot = snapshot, Full = context.Get(Full), Policy = context.Get(Policy) }).ToList();
        await using var queue = QueueFactory.Open(context.Settings, context.Loggers, context.Time);
        foreach (var request in requests)
        {
            await queue.PublishAsync(request, cancel);
        }

        context.Output.Write(requests, DocumentJson.Shared.IEnumerableBackupRequest, human => human.Table(["REQUEST", "IMAGE"], requests.Select(r => (string[])[r.Id.ToString(), r.Image.ToString()])));
    }

    private static void Describe(HumanOutput human, Manifest m) => human.Fields(
        ("point", m.Point.ToString()), ("image", m.Disk.Spec.ToString()), ("kind", PointDocument.Word(m.Kind)), ("because", m.Reason),
        ("base", m.Base?.Point.ToString()), ("snapshot", m.Snapshot.Name), ("data", Humanize.Bytes(m.DataBytes)), ("zeros", Humanize.Bytes(m.ZeroBytes)),
        ("stored", Humanize.Bytes(m.StoredBytes)), ("took", Humanize.Duration(TimeSpan.FromSeconds(m.Seconds))));
}
