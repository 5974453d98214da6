namespace RbdBackup.Configuration;

/// <summary>Reads secrets from files of their own, and warns of files that everybody may read.</summary>
internal sealed class SecretFiles(List<string> errors)
{
    private readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Warns where a configuration file holds a secret and everybody may read it.</summary>
    public void CheckConfigurationFile(string file, IReadOnlyList<IniEntry> entries)
    {
        if (entries.Any(e => OptionCatalog.Find(e.Section)?.Find(e.Key)?.Secret == true))
        {
            CheckMode(file);
        }
    }

    /// <summary>The settings with the secrets that stand in files.</summary>
    public RbdBackupSettings Resolve(RbdBackupSettings settings)
    {
        var store = settings.Store;
        if (store is { S3SecretKey: not null, S3SecretKeyFile: not null })
        {
            errors.Add("[store] s3_secret_key and s3_secret_key_file are both set; choose one");
        }

        if (store.S3SecretKeyFile is { } keyFile)
        {
            store = store with { S3SecretKey = ReadLines(keyFile, "[store] s3_secret_key_file").FirstOrDefault() };
        }

        if (settings.Encryption.KeyFile is { } sealKey && File.Exists(sealKey))
        {
            CheckMode(sealKey);
        }

        var notifications = settings.Notifications;
        if (notifications.TransportUrlFile is { } urlFile)
        {
            var urls = ReadLines(urlFile, "[notifications] transport_url_file");
            notifications = notifications with { TransportUrl = [.. notifications.TransportUrl, .. urls] };
        }

        return settings with { Store = store, Notifications = notifications };
    }

    private string[] ReadLines(string file, string option)
    {
        try
        {
            CheckMode(file);
            string[] lines = [.. File.ReadLines(file).Select(l => l.Trim()).Where(l => l.Length > 0)];
            if (lines.Length == 0)
            {
                errors.Add($"{option}: {file} is empty");
            }

            return lines;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            errors.Add($"{option}: {file} can't be read: {e.Message}");
            return [];
        }
    }

    private void CheckMode(string file)
    {
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite)) != 0)
        {
            _warnings.Add($"{file} holds a secret and everybody on this machine may read it; chmod 0640 {file}");
        }
    }
}
