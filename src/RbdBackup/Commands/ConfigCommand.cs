using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Configuration;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup config sample | check | show | reference</c>.</summary>
internal static class ConfigCommand
{
    public static Command Create() => new("config", "Shows, checks and documents the configuration.")
    {
        new Command("sample", "Prints a configuration file with every option and its default.")
            .Runs((context, _) => Print(context, SampleWriter.Write)),
        new Command("check", "Reads and validates the configuration.").Runs(CheckAsync),
        new Command("show", "Prints every option as it counts, and where it was set. Secrets are masked.").Runs(ShowAsync),
        new Command("reference", "Prints the tables of docs/configuration.md.") { Hidden = true }
            .Runs((context, _) => Print(context, ReferenceWriter.Write)),
    };

    private static Task Print(CommandContext context, Action<TextWriter> write)
    {
        var text = new StringWriter { NewLine = "\n" };
        write(text);
        context.Output.Write(new TextDocument(text.ToString()), DocumentJson.Shared.TextDocument, human => human.Line(text.ToString().TrimEnd()));
        return Task.CompletedTask;
    }

    private static Task CheckAsync(CommandContext context, CancellationToken cancel)
    {
        var loaded = context.Configuration;
        context.Output.Write(new CheckedDocument(loaded.Files, loaded.Warnings), DocumentJson.Shared.CheckedDocument, human =>
        {
            foreach (var file in loaded.Files)
            {
                human.Line($"read {file}");
            }

            human.Line(loaded.Files.Count == 0 ? "No configuration file: every option has its default." : "The configuration is good.");
        });
        return Task.CompletedTask;
    }

    private static Task ShowAsync(CommandContext context, CancellationToken cancel)
    {
        var options = EffectiveOptions.List(context.Configuration.Values).ToList();
        context.Output.Write(options, DocumentJson.Shared.IEnumerableEffectiveOption, human => human.Table(
            ["SECTION", "OPTION", "VALUE", "SET BY"],
            options.Select(o => (string[])[o.Section, o.Option, o.Value?.ReplaceLineEndings(", ") ?? "", o.Origin])));
        return Task.CompletedTask;
    }

    /// <summary>A text, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record TextDocument(string Text);

    /// <summary>A configuration that is good.</summary>
    internal sealed record CheckedDocument(IReadOnlyList<string> Files, IReadOnlyList<string> Warnings);
}
