namespace RbdBackup.Configuration;

/// <summary>Marks a record as a section of the configuration; its options are its properties.</summary>
/// <param name="name">The section's name; with <see cref="Named"/>, what stands before the colon.</param>
/// <param name="help">What the section is about, a sentence or two.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class SectionAttribute(string name, string help) : Attribute
{
    /// <summary>The section's name.</summary>
    public string Name { get; } = name;

    /// <summary>What the section is about.</summary>
    public string Help { get; } = help;

    /// <summary>True where there may be several, each <c>[name:NAME]</c>.</summary>
    public bool Named { get; init; }
}

/// <summary>
/// Marks a property as an option. Its name is the property's in snake_case, its syntax follows from the property's type
/// (<see cref="OptionSyntax"/>). Sample, documentation and validation all come from here.
/// </summary>
/// <param name="defaultValue">The default as one would write it in the file; null where the option has none and may be absent.</param>
/// <param name="help">What it does, for an operator.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OptionAttribute(string? defaultValue, string help) : Attribute
{
    /// <summary>The default as one would write it in the file.</summary>
    public string? DefaultValue { get; } = defaultValue;

    /// <summary>What it does.</summary>
    public string Help { get; } = help;

    /// <summary>The least value that is allowed, as one would write it.</summary>
    public string? Min { get; init; }

    /// <summary>The greatest value that is allowed, as one would write it.</summary>
    public string? Max { get; init; }

    /// <summary>The only values that are allowed; empty for no such limit.</summary>
    public string[] Choices { get; init; } = [];

    /// <summary>True where commas are part of a value, and several values are several lines.</summary>
    public bool WholeLines { get; init; }

    /// <summary>True where the value, or a password in it, must never be shown.</summary>
    public bool Secret { get; init; }
}
