namespace RbdBackup.Configuration;

/// <summary>A share in percent.</summary>
/// <param name="Value">From 0 to 100.</param>
public readonly record struct Percent(double Value);
