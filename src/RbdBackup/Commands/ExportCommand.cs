using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup export POINT</c>.</summary>
internal static class ExportCommand
{
    private static readonly Argument<string> Point = new("POINT") { Description = "The restore point's id." };
    private static readonly Option<string> File = new("--output", "-o") { Description = "The file; - for standard output.", DefaultValueFactory = _ => "-" };
    private static readonly Option<bool> Full = new("--full") { Description = "The whole image at the point, not the point's difference from its base." };

    private static readonly Option<string> From = new("--from") { Description = "Another point of the image, older or newer: what makes the point of it." };

    public static Command Create() => new Command("export", "Writes a point as a stream for 'rbd import-diff'.") { Point, File, Full, From }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        var manifest = await repository.FindAsync(PointId.Parse(context.Get(Point)), cancel);
        var from = await FindFromAsync(context, repository, manifest, cancel);
        var full = from is null && (context.Get(Full) || manifest.HasMergedIndex);
        var chain = await repository.ReadChainAsync(manifest, cancel);
        var below = from is null ? null : await repository.ReadChainAsync(from, cancel);
        var path = context.Get(File)!;
        await WriteAsync(context, path, output =>
        {
            var stream = new PointStream(repository);
            return below is not null ? stream.ExportBetweenAsync(below, chain, output, context.Progress, cancel)
                : full ? stream.ExportFullAsync(chain, output, context.Progress, cancel)
                : stream.ExportAsync(manifest, output, context.Progress, cancel);
        });
        if (path != "-")
        {
            var length = new FileInfo(path).Length;
            context.Output.Write(
                new ExportedDocument(manifest.Point.ToString(), path, full, (full ? null : from?.Point ?? manifest.Base?.Point)?.ToString(), length), DocumentJson.Shared.ExportedDocument,
                human => human.Line($"{Humanize.Bytes(length)} in {path}"));
        }
    }

    /// <summary>
    /// The point that a difference starts from: the one that was named, or of a point that became independent, its base while that is there. Null: the whole image, or
    /// the point's own stream, which needs no other.
    /// </summary>
    private static async Task<Manifest?> FindFromAsync(CommandContext context, PointRepository repository, Manifest manifest, CancellationToken cancel)
    {
        if (context.Get(From) is { } named)
        {
            if (context.Get(Full))
            {
                throw new RbdBackupException(ErrorKind.Usage, "--full and --from exclude each other", "Give one of them.");
            }

            var from = await repository.FindAsync(PointId.Parse(named), cancel);
            return from.Disk.Key == manifest.Disk.Key || from.Disk.Key == manifest.Base?.Disk || manifest.Disk.Key == from.Base?.Disk
                ? from
                : throw new RbdBackupException(
                    ErrorKind.Usage, $"point {from.Point} is of {from.Disk.Spec}, point {manifest.Point} of {manifest.Disk.Spec}",
                    "Give two points of one image, or --full.");
        }

        if (context.Get(Full) || !manifest.HasMergedIndex || manifest.Base is not { } below)
        {
            return null;
        }

        var found = await repository.FindNewestAsync(below.Disk, below.Point, cancel);
        if (found is null)
        {
            context.Note($"note: point {below.Point}, which it was taken on, is gone: this is the whole image");
        }

        return found;
    }

    /// <summary>A file appears whole or not at all: a stream that was cut off would be taken for one that was not.</summary>
    private static async Task WriteAsync(CommandContext context, string path, Func<Stream, Task> write)
    {
        if (path == "-")
        {
            await using var output = context.Output.OpenBinary();
            await write(output);
            return;
        }

        var partial = $"{path}.partial";
        try
        {
            await using (var file = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
            {
                await write(file);
            }

            System.IO.File.Move(partial, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RbdBackupException(ErrorKind.NoSpace, $"{path} can't be written: {e.Message}", "Give another file with -o, or make room.", e);
        }
        finally
        {
            System.IO.File.Delete(partial);
        }
    }

    /// <summary>A stream in a file, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record ExportedDocument(string Point, string File, bool Full, string? From, long Bytes);
}
