using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using RbdBackup.Commands;

namespace RbdBackup.Cli;

/// <summary>The whole command line.</summary>
public static class RbdBackupCommandLine
{
    /// <summary>What options take that are no text, for people: the parser's own errors name .NET's types.</summary>
    private static readonly (Type Type, string Words)[] Kinds =
    [
        (typeof(int), "a whole number"), (typeof(int?), "a whole number"), (typeof(ulong), "a whole number"), (typeof(double?), "a number"),
        (typeof(DateTimeOffset?), "a time such as 2027-01-31T12:00+01:00"),
    ];

    /// <summary>
    /// Runs a command line and gives its exit code: 0, a <see cref="Core.Model.ErrorKind"/>, or <see cref="ErrorReport.Interrupted"/>.
    /// </summary>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, CliHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        var parse = Create().Parse(args);
        if (parse.Action is not ParseErrorAction)
        {
            return await parse.InvokeAsync(host);
        }

        var path = new List<string>();
        for (var result = parse.CommandResult; result.Command is not RootCommand; result = (CommandResult)result.Parent!)
        {
            path.Insert(0, result.Command.Name + " ");
        }

        return ErrorReport
            .OfUsage(InWords(parse.Errors[^1].Message), $"'rbdbackup {string.Concat(path)}--help' shows what it takes.")
            .Write(host.Error, args.Contains(GlobalOptions.Json.Name));
    }

    private static string InWords(string error) =>
        Kinds.Aggregate(error, (text, kind) => text.Replace($"as expected type '{kind.Type}'", $"as {kind.Words}", StringComparison.Ordinal));

    /// <summary>The command line's definition.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand(
            "Keeps restore points of OpenStack servers' and volumes' RBD images in object storage, and gives them back.");
        foreach (var option in GlobalOptions.All)
        {
            root.Add(option);
        }

        foreach (var command in AllCommands.Create())
        {
            root.Add(command);
        }

        return root;
    }
}
