namespace RbdBackup.Core.Tests.Copy;

/// <summary>A second site of a repository that is not sealed.</summary>
public sealed class PlainCopyTests() : CopyTests(null);
