using System.CommandLine;

namespace RbdBackup.Commands;

/// <summary>Every command, in the order of <c>--help</c>.</summary>
internal static class AllCommands
{
    public static IEnumerable<Command> Create() =>
    [
        ConfigCommand.Create(),
    ];
}
