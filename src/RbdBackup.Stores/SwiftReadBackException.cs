namespace RbdBackup.Stores;

/// <summary>The service said that it stored an object, and does not show it as it was sent.</summary>
/// <param name="found">What it shows.</param>
internal sealed class SwiftReadBackException(string found) : Exception($"what was stored does not read back: {found}");
