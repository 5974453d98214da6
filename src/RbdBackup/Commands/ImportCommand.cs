using System.CommandLine;
using System.Globalization;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Import;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup import FILE… --as IMAGE</c>.</summary>
internal static class ImportCommand
{
    private static readonly Argument<string[]> Files = new("FILE") { Description = "Files of 'rbd export-diff', the full first; - for standard input.", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string> As = new("--as") { Description = "The image that they become points of: pool/name or pool/namespace/name.", Required = true };
    private static readonly Option<string?> Created = new("--created") { Description = "When the snapshot of the one file was taken; else the files' times count." };
    private static readonly Option<int> Order = new("--order") { Description = "log2 of the object size that a restore gives the image.", DefaultValueFactory = _ => 22 };
    private static readonly Option<ulong> Features = new("--features") { Description = "The feature bits that a restore gives the image.", DefaultValueFactory = _ => 61 };

    public static Command Create() =>
        new Command("import", "Makes points of files that 'rbd export-diff' wrote.") { Files, As, Created, Order, Features }.Runs(RunAsync);

    private static async Task RunAsync(CommandContext context, CancellationToken cancel)
    {
        var (files, image) = (context.Get(Files)!, ImageSpec.Parse(context.Get(As)!));
        var created = context.Get(Created) is { } text ? ParseCreated(text, files.Length) : (DateTimeOffset?)null;
        var order = context.Get(Order) is >= 12 and <= 25 and var o
            ? o
            : throw new RbdBackupException(ErrorKind.Usage, $"--order is {context.Get(Order)}", "Give 12 (4 KiB) to 25 (32 MiB).");
        var services = Services.Of(context);
        await using var repository = await services.OpenRepositoryAsync(create: true, cancel);
        var runner = services.Import(repository);
        var made = new List<Manifest>();
        foreach (var file in files)
        {
            using var input = await ImportFile.OpenAsync(file, context.OpenBinaryInput, cancel);
            var ask = new ImportAsk(
                input.Path, image, created ?? input.Written ?? context.Time.GetUtcNow(), new ImageLayout(order, context.Get(Features), 1L << order, 1, null),
                new AskedBy(AskedSource.Cli, User: Environment.UserName));
            made.Add(await runner.RunAsync(ask, context.Progress, cancel));
        }

        context.Output.Write(made.Select(m => PointDocument.Of(m)), DocumentJson.Shared.IEnumerablePointDocument, human => human.Table(
            ["ID", "IMAGE", "CREATED", "KIND", "SNAPSHOT", ">STORED"],
            made.Select(m => (string[])[
                m.Point.ToString(), m.Disk.Spec.ToString(), Humanize.Time(m.Created), PointDocument.Word(m.Kind), m.Snapshot.Name, Humanize.Bytes(m.StoredBytes)])));
    }

    private static DateTimeOffset ParseCreated(string text, int files) =>
        files > 1 ? throw new RbdBackupException(ErrorKind.Usage, $"--created is one time, for {files} files", "Import them one by one, or leave it out.")
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var time) ? time
        : throw new RbdBackupException(ErrorKind.Usage, $"--created is '{text}'", "Give a time like 2026-03-01T04:00 or 2026-03-01T04:00+01:00.");

    /// <summary>A file that can be read twice: standard input goes to a temporary one, which nobody else can read.</summary>
    private sealed class ImportFile(string path, DateTimeOffset? written, FileStream? spool) : IDisposable
    {
        public string Path => path;

        public DateTimeOffset? Written => written;

        public static async Task<ImportFile> OpenAsync(string file, Func<Stream> standardInput, CancellationToken cancel)
        {
            try
            {
                if (file != "-")
                {
                    return File.Exists(file) ? new ImportFile(file, File.GetLastWriteTimeUtc(file), null) : throw new RbdBackupException(
                        ErrorKind.NotFound, $"there is no file {file}", "Nothing of it was imported.");
                }

                // Such a file is made so that nobody else can read it.
                var temporary = System.IO.Path.GetTempFileName();
                var spool = new FileStream(
                    temporary, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, 1 << 20, FileOptions.DeleteOnClose);
                await using var input = standardInput();
                await input.CopyToAsync(spool, cancel);
                await spool.FlushAsync(cancel);
                return new ImportFile(temporary, null, spool);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new RbdBackupException(ErrorKind.NoSpace, $"{file} can't be read: {e.Message}", "Standard input is put into the folder of TMPDIR first: make room there.", e);
            }
        }

        public void Dispose() => spool?.Dispose();
    }
}
