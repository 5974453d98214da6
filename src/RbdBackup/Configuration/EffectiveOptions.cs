using System.Text.RegularExpressions;

namespace RbdBackup.Configuration;

/// <summary>One option as it counts now.</summary>
/// <param name="Section">Its section.</param>
/// <param name="Option">Its name.</param>
/// <param name="Value">Its value after substitution; secrets are masked. Null where it has none.</param>
/// <param name="Origin">Where it was set.</param>
public sealed record EffectiveOption(string Section, string Option, string? Value, string Origin);

/// <summary>Lists every option as it counts, safe to show.</summary>
public static partial class EffectiveOptions
{
    private const string Mask = "***";

    /// <summary>All options of all sections that exist.</summary>
    public static IEnumerable<EffectiveOption> List(OptionValues values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return OptionCatalog.Sections.SelectMany(section => section.Named
            ? values.Names(section.Name).SelectMany(name => List(values, $"{section.Name}:{name}", section))
            : List(values, section.Name, section));
    }

    private static IEnumerable<EffectiveOption> List(OptionValues values, string name, SectionDefinition section) =>
        section.Options.Select(option => values.Get(name, option) is { } written
            ? new EffectiveOption(name, option.Name, Show(values.Substitute(written.Text, name), option), written.Origin)
            : new EffectiveOption(name, option.Name, null, "default"));

    private static string Show(string text, OptionDefinition option) => !option.Secret ? UrlPassword().Replace(text, $"$1{Mask}@")
        : text.Contains("://", StringComparison.Ordinal) ? string.Join('\n', text.Split('\n').Select(MaskUrls))
        : Mask;

    /// <summary>A line that is secret is shown only where it is a URL, and then without what stands between scheme and host.</summary>
    private static string MaskUrls(string line) =>
        line.Contains("://", StringComparison.Ordinal) ? UrlPassword().Replace(line, $"$1{Mask}@") : Mask;

    // Passwords in broker URLs often hold '/' or '@' by mistake: everything to the last '@' goes.
    [GeneratedRegex(@"([a-z][a-z0-9+]*://[^:/@\n]*:)[^\n]*@", RegexOptions.IgnoreCase)]
    private static partial Regex UrlPassword();
}
