namespace RbdBackup.Configuration;

/// <summary>
/// Writes the sample file: every option, commented out, with its help, what is allowed and its default; as oslo's generator does.
/// </summary>
public static class SampleWriter
{
    private const int Width = 100;
    private static readonly string PlainText = OptionSyntax.Of(typeof(string)).Allowed;

    /// <summary>Writes it.</summary>
    public static void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine("# rbdbackup's configuration; mode 0640. Every option is shown with its default.");
        writer.WriteLine("# $name and ${section.name} stand for other options' values, $$ for a dollar sign. A list may be several lines.");
        writer.WriteLine("# A variable OS_<SECTION>__<OPTION>, such as OS_STORE__URL, counts more than any file.");
        foreach (var section in OptionCatalog.Sections)
        {
            writer.WriteLine();
            WriteComment(writer, section.Help);
            writer.WriteLine(section.Named ? $"#[{section.Name}:NAME]" : $"[{section.Name}]");
            foreach (var option in section.Options)
            {
                writer.WriteLine();
                WriteComment(writer, option.Help);
                if (option.Allowed != PlainText)
                {
                    WriteComment(writer, $"({(option.IsList ? "list; each item: " : "")}{option.Allowed})");
                }

                writer.WriteLine($"#{option.Name} = {option.DefaultValue}".TrimEnd());
            }
        }
    }

    private static void WriteComment(TextWriter writer, string text)
    {
        var line = "#";
        foreach (var word in text.Split(' '))
        {
            if (line.Length + 1 + word.Length > Width)
            {
                writer.WriteLine(line);
                line = "#";
            }

            line += " " + word;
        }

        writer.WriteLine(line);
    }
}
