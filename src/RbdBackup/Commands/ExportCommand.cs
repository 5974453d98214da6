using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Restore;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup export POINT</c>.</summary>
internal static class ExportCommand
{
    private static readonly Argument<string> Point = new("POINT") { Description = "The restore point's id." };
    private static readonly Option<string> File = new("--output", "-o") { Description = "The file; - for standard output.", DefaultValueFactory = _ => "-" };
    private static readonly Option<bool> Full = new("--full") { Description = "The whole image at the point, not the point's difference from its base." };

    public static Command Create() => new Command("export", "Writes a point as a stream for 'rbd import-diff'.") { Point, File, Full }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: false, cancel);
        var manifest = await repository.FindAsync(PointId.Parse(context.Get(Point)), cancel);
        var chain = await repository.ReadChainAsync(manifest, cancel);
        var path = context.Get(File)!;
        await WriteAsync(context, path, async output =>
        {
            var stream = new PointStream(repository);
            await (context.Get(Full) ? stream.ExportFullAsync(chain, output, context.Progress, cancel) : stream.ExportAsync(manifest, output, context.Progress, cancel));
        });
        if (path != "-")
        {
            var length = new FileInfo(path).Length;
            context.Output.Write(
                new { Point = manifest.Point.ToString(), File = path, Full = context.Get(Full), Bytes = length },
                human => human.Line($"{Humanize.Bytes(length)} in {path}"));
        }
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
}
