using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>Finds and reads configuration files.</summary>
internal static class ConfigurationFiles
{
    /// <summary>The files to read, in order. The default folder is read only where nothing was named, and may be missing.</summary>
    public static IReadOnlyList<string> Find(ConfigurationSources sources)
    {
        const string standard = ConfigurationSources.DefaultFolder;
        if (sources.Files.Count + sources.Folders.Count == 0)
        {
            return sources.IgnoreDefaultFolder || !Directory.Exists(standard) ? [] : InFolder(standard);
        }

        return [.. sources.Files, .. sources.Folders.SelectMany(InFolder)];
    }

    /// <summary>A file's text.</summary>
    public static string ReadText(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var kind = e is UnauthorizedAccessException ? ErrorKind.Permission : ErrorKind.Usage;
            throw new RbdBackupException(
                kind, $"the configuration file {file} can't be read: {e.Message}", "Check the path, and that this user may read it.", e);
        }
    }

    /// <summary>
    /// rbdbackup.conf, then rbdbackup.conf.d/*.conf by name, as oslo.config reads /etc/PROJECT. A folder with neither is one of
    /// fragments, as oslo.config's --config-dir takes it: all its *.conf by name.
    /// </summary>
    private static IReadOnlyList<string> InFolder(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new RbdBackupException(ErrorKind.Usage, $"the configuration folder {folder} does not exist", "Check --config-dir.");
        }

        var main = Path.Combine(folder, "rbdbackup.conf");
        var fragments = Path.Combine(folder, "rbdbackup.conf.d");
        if (!File.Exists(main) && !Directory.Exists(fragments))
        {
            return ByName(folder);
        }

        return [.. File.Exists(main) ? [main] : Array.Empty<string>(), .. Directory.Exists(fragments) ? ByName(fragments) : []];
    }

    private static string[] ByName(string folder) => [.. Directory.GetFiles(folder, "*.conf").Order(StringComparer.Ordinal)];
}
