using System.Collections.ObjectModel;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;

namespace RbdBackup.Configuration;

/// <summary>An option: an attribute of a section's record, and the property that it sets.</summary>
public sealed class OptionDefinition
{
    private readonly OptionAttribute _attribute;

    internal OptionDefinition(PropertyInfo property, OptionAttribute attribute)
    {
        _attribute = attribute;
        Property = property;
        Name = JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name);
        IsList = property.PropertyType.IsGenericType && property.PropertyType.GetGenericTypeDefinition() == typeof(IReadOnlyList<>);
        Syntax = OptionSyntax.Of(IsList ? property.PropertyType.GetGenericArguments()[0] : property.PropertyType);
    }

    /// <summary>The option's name.</summary>
    public string Name { get; }

    /// <summary>The property that it sets.</summary>
    public PropertyInfo Property { get; }

    /// <summary>How its value, or each item of it, is written.</summary>
    public OptionSyntax Syntax { get; }

    /// <summary>True where it takes several values.</summary>
    public bool IsList { get; }

    /// <summary>The default as one would write it; null where there is none.</summary>
    public string? DefaultValue => _attribute.DefaultValue;

    /// <summary>What it does.</summary>
    public string Help => _attribute.Help;

    /// <summary>True where the value, or a password in it, must never be shown.</summary>
    public bool Secret => _attribute.Secret;

    /// <summary>The characters that separate the items of a list.</summary>
    public char[] Separators => _attribute.WholeLines ? ['\n'] : [',', '\n'];

    /// <summary>What is allowed, as the end of a sentence.</summary>
    public string Allowed => _attribute switch
    {
        { Choices.Length: > 0 } a => "one of " + string.Join(", ", a.Choices),
        { Min: { } min, Max: { } max } => $"{Syntax.Allowed}, from {min} to {max}",
        { Min: { } min } => $"{Syntax.Allowed}, at least {min}",
        { Max: { } max } => $"{Syntax.Allowed}, at most {max}",
        _ => Syntax.Allowed,
    };

    /// <summary>Reads one value; null where it is not allowed.</summary>
    public object? Parse(string text)
    {
        var value = Syntax.Parse(text);
        var good = value is not null
            && (_attribute.Choices.Length == 0 || _attribute.Choices.Contains(text))
            && (_attribute.Min is null || Compare(value, _attribute.Min) >= 0)
            && (_attribute.Max is null || Compare(value, _attribute.Max) <= 0);
        return good ? value : null;
    }

    private int Compare(object value, string limit) => ((IComparable)value).CompareTo(Syntax.Parse(limit));
}

/// <summary>A section and its options.</summary>
/// <param name="Name">Its name; for a named one, what stands before the colon.</param>
/// <param name="Help">What it is about.</param>
/// <param name="Named">True for <c>[name:NAME]</c>.</param>
/// <param name="Options">Its options, in the order in which they are documented.</param>
public sealed record SectionDefinition(string Name, string Help, bool Named, IReadOnlyList<OptionDefinition> Options)
{
    /// <summary>The option of that name; null where there is none.</summary>
    public OptionDefinition? Find(string option) => Options.FirstOrDefault(o => o.Name == option);
}

/// <summary>Every section and option that there is, read once from the records' attributes.</summary>
public static class OptionCatalog
{
    /// <summary>The name of the section for what belongs to no other.</summary>
    public const string DefaultSection = "DEFAULT";

    /// <summary>The policies that exist without being written down, and where they differ from a policy's defaults.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> BuiltInPolicies { get; } =
        new Dictionary<string, IReadOnlyDictionary<string, string>>
        {
            ["daily"] = ReadOnlyDictionary<string, string>.Empty,
            ["weekly"] = new Dictionary<string, string> { ["days"] = "sun", ["cycle_days"] = "28" },
            ["none"] = new Dictionary<string, string> { ["enabled"] = "false" },
        };

    /// <summary>The sections, in the order in which they are documented.</summary>
    public static IReadOnlyList<SectionDefinition> Sections { get; } =
    [
        Define<GeneralSettings>(), Define<CephSettings>(), Define<ClusterSettings>(), Define<StoreSettings>(), Define<KeystoneSettings>(), Define<RepositorySettings>(), Define<EncryptionSettings>(), Define<BackupSettings>(),
        Define<RestoreSettings>(), Define<RotationSettings>(), Define<JobsSettings>(), Define<SweepSettings>(), Define<NotificationsSettings>(), Define<TenantsSettings>(),
        Define<HttpSettings>(), Define<PolicySettings>(),
    ];

    /// <summary>The section of a record.</summary>
    public static SectionDefinition Of<T>()
    {
        var section = typeof(T).GetCustomAttribute<SectionAttribute>()!;
        return Sections.First(s => s.Name == section.Name && s.Named == section.Named);
    }

    /// <summary>The section that <c>[name]</c> or <c>[name:NAME]</c> is; null where there is none.</summary>
    public static SectionDefinition? Find(string name)
    {
        var colon = name.IndexOf(':', StringComparison.Ordinal);
        var named = colon > 0 && colon < name.Length - 1;
        return Sections.FirstOrDefault(s => s.Named ? named && s.Name == name[..colon] : s.Name == name);
    }

    private static SectionDefinition Define<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] T>()
    {
        var section = typeof(T).GetCustomAttribute<SectionAttribute>()!;
        var options = typeof(T).GetProperties()
            .Select(p => (Property: p, Attribute: p.GetCustomAttribute<OptionAttribute>()))
            .Where(p => p.Attribute is not null)
            .Select(p => new OptionDefinition(p.Property, p.Attribute!));
        return new SectionDefinition(section.Name, section.Help, section.Named, [.. options]);
    }
}
