using System.CommandLine;

namespace RbdBackup.Commands;

/// <summary>Every command, in the order of <c>--help</c>.</summary>
internal static class AllCommands
{
    public static IEnumerable<Command> Create() =>
    [
        BackupCommand.Create(),
        RestoreCommand.Create(),
        RollbackCommand.Create(),
        ListCommand.Create(),
        ListCommand.CreateShow(),
        ExportCommand.Create(),
        VerifyCommand.Create(),
        CopyCommand.Create(),
        ImportCommand.Create(),
        PruneCommand.CreateConsolidate(),
        PruneCommand.Create(),
        PinCommand.Create(),
        PinCommand.CreateUnpin(),
        RotateCommand.Create(),
        RotateCommand.CreateCollect(),
        KeyCommand.Create(),
        CompactCommand.Create(),
        WorkerCommand.Create(),
        WorkerCommand.CreateSchedule(),
        JobsCommand.Create(),
        SweepCommand.Create(),
        RepoCommand.Create(),
        ConfigCommand.Create(),
    ];
}
