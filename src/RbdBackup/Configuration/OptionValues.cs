using System.Text.RegularExpressions;
using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>The text of a value and where it was set.</summary>
/// <param name="Text">The value as written; the values of a list, one a line.</param>
/// <param name="Origin"><c>file:line</c>, a variable's name, the command line, or <c>default</c>.</param>
public sealed record OptionText(string Text, string Origin);

/// <summary>
/// What was written for every option, before it is read: the files' assignments in order, the environment above them, the command
/// line above all. The last one counts; a list collects those of all files. <c>$name</c> and <c>${section.name}</c> stand for other options' values.
/// </summary>
public sealed partial class OptionValues
{
    private readonly Dictionary<(string Section, string Option), OptionText> _set = [];

    private readonly Dictionary<string, SortedSet<string>> _names = new() { ["policy"] = new(OptionCatalog.BuiltInPolicies.Keys, StringComparer.Ordinal) };

    /// <summary>The names of the <c>[section:NAME]</c> that exist, built-in policies among them, without the prefix.</summary>
    public IReadOnlyCollection<string> Names(string section) => _names.TryGetValue(section, out var names) ? names : [];

    /// <summary>Makes a <c>[section:NAME]</c> known.</summary>
    public void AddName(string section, string name)
    {
        if (!_names.TryGetValue(section, out var names))
        {
            _names[section] = names = new SortedSet<string>(StringComparer.Ordinal);
        }

        names.Add(name);
    }

    /// <summary>Sets an option, over what was set before; <paramref name="append"/> adds to a list's values instead.</summary>
    public void Set(string section, string option, OptionText value, bool append = false)
    {
        var key = (section, option);
        _set[key] = append && _set.TryGetValue(key, out var before)
            ? value with { Text = before.Text + "\n" + value.Text }
            : value;
    }

    /// <summary>What is set for an option, or its default; not yet substituted. Null where there is neither.</summary>
    public OptionText? Get(string section, OptionDefinition option)
    {
        if (_set.TryGetValue((section, option.Name), out var value))
        {
            return value;
        }

        var name = section[(section.IndexOf(':', StringComparison.Ordinal) + 1)..];
        var builtIn = section.StartsWith("policy:", StringComparison.Ordinal)
            ? OptionCatalog.BuiltInPolicies.GetValueOrDefault(name)?.GetValueOrDefault(option.Name)
            : null;
        return (builtIn ?? option.DefaultValue) is { } text ? new OptionText(text, "default") : null;
    }

    /// <summary>
    /// Puts other options' values in the place of <c>$name</c> and <c>${section.name}</c>; <c>$$</c> and <c>\$</c> are a dollar sign.
    /// </summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: no such option, or one that stands for itself.</exception>
    public string Substitute(string text, string section) => Substitute(text, section, []);

    private string Substitute(string text, string section, Stack<string> within) =>
        Reference().Replace(text, match =>
        {
            var name = match.Groups["name"].Value + match.Groups["braced"].Value;
            return name.Length == 0 ? "$" : Resolve(name, section, within);
        });

    private string Resolve(string name, string section, Stack<string> within)
    {
        var (inSection, option) = Locate(name, section)
            ?? throw new RbdBackupException(ErrorKind.Usage, $"${name} names no option; write $$ for a dollar sign");
        var full = $"{inSection}.{option.Name}";
        if (within.Contains(full))
        {
            throw new RbdBackupException(ErrorKind.Usage, $"${name} stands for itself");
        }

        within.Push(full);
        var value = Get(inSection, option) is { } found ? Substitute(found.Text, inSection, within) : "";
        within.Pop();
        return value;
    }

    /// <summary>As oslo.config looks it up: in the same section, else in [DEFAULT]; with a dot, in the section before it.</summary>
    private static (string Section, OptionDefinition Option)? Locate(string name, string section)
    {
        var dot = name.LastIndexOf('.');
        string[] sections = dot < 0 ? [section, OptionCatalog.DefaultSection] : [name[..dot]];
        return sections
            .Select(s => (Section: s, Option: OptionCatalog.Find(s)?.Find(name[(dot + 1)..])))
            .Where(s => s.Option is not null)
            .Select(s => ((string, OptionDefinition)?)(s.Section, s.Option!))
            .FirstOrDefault();
    }

    [GeneratedRegex(
        """
        \$\$ | \\\$
        | \$ (?<name> [A-Za-z_]\w* (\.[A-Za-z_]\w*)? )
        | \$\{ (?<braced> [A-Za-z_][\w:-]* (\.[A-Za-z_]\w*)? ) \}
        """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.CultureInvariant)]
    private static partial Regex Reference();
}
