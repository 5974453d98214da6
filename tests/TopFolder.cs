namespace RbdBackup;

/// <summary>The folder with all of the project's sources, above the one that tests run in.</summary>
internal static class TopFolder
{
    public static string Path { get; } = Above(AppContext.BaseDirectory);

    /// <summary>A file or folder of it.</summary>
    public static string Of(string path) => System.IO.Path.Combine(Path, path);

    private static string Above(string folder) => File.Exists(System.IO.Path.Combine(folder, "RbdBackup.sln"))
        ? folder
        : Above(System.IO.Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"no RbdBackup.sln above {AppContext.BaseDirectory}"));
}
