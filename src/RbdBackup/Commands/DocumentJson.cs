using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Cli;
using RbdBackup.Configuration;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Requests;
using RbdBackup.Core.Sealing;
using RbdBackup.Core.Servers;
using RbdBackup.Core.Verify;

namespace RbdBackup.Commands;

/// <summary>
/// How every document of <c>--json</c> is written: snake_case, enumerations as words, images as <c>pool/name</c>. The code is made when the program is built:
/// it runs without a compiler in it, and a command's first document does not wait for one.
/// </summary>
[JsonSerializable(typeof(PointDocument))]
[JsonSerializable(typeof(IEnumerable<PointDocument>))]
[JsonSerializable(typeof(IEnumerable<BackupRequest>))]
[JsonSerializable(typeof(CompactCommand.CompactedDocument))]
[JsonSerializable(typeof(ConfigCommand.TextDocument))]
[JsonSerializable(typeof(ConfigCommand.CheckedDocument))]
[JsonSerializable(typeof(IEnumerable<EffectiveOption>))]
[JsonSerializable(typeof(CopyCommand.CopiedDocument))]
[JsonSerializable(typeof(ExportCommand.ExportedDocument))]
[JsonSerializable(typeof(IEnumerable<JobsCommand.JobDocument>))]
[JsonSerializable(typeof(JobsCommand.CancelledDocument))]
[JsonSerializable(typeof(KeyCommand.SlotDocument))]
[JsonSerializable(typeof(IEnumerable<KeyCommand.SlotDocument>))]
[JsonSerializable(typeof(RotationResult))]
[JsonSerializable(typeof(ListCommand.ShownDocument))]
[JsonSerializable(typeof(PinCommand.PinDocument))]
[JsonSerializable(typeof(PinCommand.UnpinnedDocument))]
[JsonSerializable(typeof(PruneCommand.PrunedDocument))]
[JsonSerializable(typeof(IEnumerable<PruneCommand.ConsolidateDocument>))]
[JsonSerializable(typeof(RepoCommand.InitDocument))]
[JsonSerializable(typeof(RepoCommand.CheckDocument))]
[JsonSerializable(typeof(RepoCommand.InfoDocument))]
[JsonSerializable(typeof(IEnumerable<ReportCommand.ReportDocument>))]
[JsonSerializable(typeof(IEnumerable<RestoreAllCommand.ItemDocument>))]
[JsonSerializable(typeof(RestoreCommand.RestoredDocument))]
[JsonSerializable(typeof(RestoreCommand.WrittenDocument))]
[JsonSerializable(typeof(RestoreCommand.UndoneDocument))]
[JsonSerializable(typeof(RestoreVolumeForms.VolumeDocument))]
[JsonSerializable(typeof(RestoreVolumeForms.UndoneVolumeDocument))]
[JsonSerializable(typeof(RestoreVolumeForms.NewVolumeDocument))]
[JsonSerializable(typeof(RollbackCommand.RolledDocument))]
[JsonSerializable(typeof(RotateCommand.VerdictDocument))]
[JsonSerializable(typeof(IEnumerable<RotateCommand.FailureDocument>))]
[JsonSerializable(typeof(RotateCommand.CollectedDocument))]
[JsonSerializable(typeof(ServerPointDocument))]
[JsonSerializable(typeof(ServerJobs.CancelledServerDocument))]
[JsonSerializable(typeof(ServerJobs.QueuedServerDocument))]
[JsonSerializable(typeof(ServerListCommand.ShownServerDocument))]
[JsonSerializable(typeof(ServerRestoreCommand.RootDocument))]
[JsonSerializable(typeof(ServerRestoreCommand.NewServerDocument))]
[JsonSerializable(typeof(SweepCommand.SweptDocument))]
[JsonSerializable(typeof(IEnumerable<UnprotectCommand.ThingDocument>))]
[JsonSerializable(typeof(VerifyCommand.VerifiedDocument))]
[JsonSerializable(typeof(IEnumerable<WorkerCommand.ScheduledDocument>))]
internal sealed partial class DocumentJson : JsonSerializerContext
{
    /// <summary>The one that commands use.</summary>
    public static DocumentJson Shared { get; } = new(new JsonSerializerOptions(JsonForms.Document)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters =
        {
            Words<AskedSource>(), Words<Consistency>(), Words<CopyState>(), Words<DiskRole>(), Words<ErrorKind>(), Words<PointKind>(), Words<ProbeOutcome>(),
            Words<VerifyKind>(), Words<VerifyState>(), new ImageSpecJsonConverter(),
        },
    });

    private static JsonStringEnumConverter<T> Words<T>()
        where T : struct, Enum => new(JsonNamingPolicy.SnakeCaseLower);
}
