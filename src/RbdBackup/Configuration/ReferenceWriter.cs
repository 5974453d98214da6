namespace RbdBackup.Configuration;

/// <summary>Writes the tables of docs/configuration.md.</summary>
public static class ReferenceWriter
{
    /// <summary>Writes them as Markdown.</summary>
    public static void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        foreach (var section in OptionCatalog.Sections)
        {
            writer.WriteLine();
            writer.WriteLine($"## [{section.Name}{(section.Named ? ":NAME" : "")}]");
            writer.WriteLine(Cell(section.Help));
            writer.WriteLine();
            writer.WriteLine("| option | default | allowed | what it does |");
            writer.WriteLine("|---|---|---|---|");
            foreach (var option in section.Options)
            {
                var value = string.IsNullOrEmpty(option.DefaultValue) ? "" : $"`{option.DefaultValue}`";
                writer.WriteLine(
                    $"| `{option.Name}` | {value} | {(option.IsList ? "list of: " : "")}{Cell(option.Allowed)} | {Cell(option.Help)} |");
            }
        }
    }

    private static string Cell(string text) =>
        text.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);
}
