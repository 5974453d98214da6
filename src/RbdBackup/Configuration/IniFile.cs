using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>One assignment of an INI file.</summary>
/// <param name="Section">The section it stands in, without brackets.</param>
/// <param name="Key">The option's name.</param>
/// <param name="Value">Its value; continuation lines are joined with a newline.</param>
/// <param name="Origin">Where it stands, for messages: <c>file:line</c>.</param>
public sealed record IniEntry(string Section, string Key, string Value, string Origin);

/// <summary>
/// The INI dialect of oslo.config: <c>key = value</c> or <c>key: value</c>, a line that starts with white space continues the value
/// before it, <c>#</c> and <c>;</c> begin a comment at the start of a line only, one pair of quotes around a value is dropped, and a
/// key may stand several times. Nothing is merged here: entries come in the file's order.
/// </summary>
public static class IniFile
{
    /// <summary>Reads a file's text; <paramref name="name"/> is its name in messages.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: a line is none of these; names file and line.</exception>
    public static IReadOnlyList<IniEntry> Parse(string text, string name)
    {
        ArgumentNullException.ThrowIfNull(text);
        var entries = new List<IniEntry>();
        string? section = null;
        var open = false;
        var number = 0;
        foreach (var raw in text.Split('\n'))
        {
            number++;
            var line = raw.TrimEnd();
            if (line.Length == 0 || line[0] is '#' or ';')
            {
                open = false;
            }
            else if (line[0] is ' ' or '\t')
            {
                if (!open)
                {
                    throw Bad(name, number, "a line that starts with white space continues the option before it, and there is none");
                }

                var last = entries[^1];
                entries[^1] = last with { Value = last.Value + "\n" + line.Trim() };
            }
            else if (line[0] == '[')
            {
                section = SectionName(line, name, number);
                open = false;
            }
            else
            {
                entries.Add(Assignment(line, section, name, number));
                open = true;
            }
        }

        return entries;
    }

    private static string SectionName(string line, string name, int number)
    {
        if (!line.EndsWith(']') || line.Length < 3)
        {
            throw Bad(name, number, $"'{line}' is not a section; write [name] alone on the line");
        }

        // oslo.config ignores case in group names, but for DEFAULT.
        var section = line[1..^1].Trim();
        return section == OptionCatalog.DefaultSection ? section : section.ToLowerInvariant();
    }

    private static IniEntry Assignment(string line, string? section, string name, int number)
    {
        var split = line.AsSpan().IndexOfAny('=', ':');
        if (split <= 0)
        {
            // The line is not shown: it may be half of a secret.
            throw Bad(name, number, "neither a section, nor 'option = value', nor a comment");
        }

        var value = line[(split + 1)..].Trim();
        if (value.Length > 1 && value[0] == value[^1] && value[0] is '"' or '\'')
        {
            value = value[1..^1];
        }

        return section is null
            ? throw Bad(
                name, number,
                $"'{line[..split].Trim()}' stands before the first section; options of no other section go under [DEFAULT]")
            : new IniEntry(section, line[..split].Trim(), value, $"{name}:{number}");
    }

    private static RbdBackupException Bad(string name, int number, string what) => new(ErrorKind.Usage, $"{name}:{number}: {what}");
}
