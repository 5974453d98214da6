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

    /// <summary>Warns of those files that everybody may read.</summary>
    public void CheckModes(IEnumerable<string> files)
    {
        foreach (var file in files)
        {
            CheckMode(file);
        }
    }

    /// <summary>The settings with the secrets that stand in files.</summary>
    public RbdBackupSettings Resolve(RbdBackupSettings settings)
    {
        var (store, keystone) = (settings.Store, settings.Keystone);
        store = store with
        {
            S3SecretKey = Choose(store.S3SecretKey, store.S3SecretKeyFile, "[store] s3_secret_key"),
            SwiftPassword = Choose(store.SwiftPassword, store.SwiftPasswordFile, "[store] swift_password"),
        };
        keystone = keystone with
        {
            Password = Choose(keystone.Password, keystone.PasswordFile, "[keystone] password"),
            ApplicationCredentialSecret = Choose(
                keystone.ApplicationCredentialSecret, keystone.ApplicationCredentialSecretFile, "[keystone] application_credential_secret"),
        };

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

        return settings with { Store = store, Keystone = keystone, Notifications = notifications };
    }

    /// <summary>A secret that stands in the configuration or, under the option's name with <c>_file</c>, in the first line of a file.</summary>
    private string? Choose(string? written, string? file, string option)
    {
        if (written is not null && file is not null)
        {
            errors.Add($"{option} and {option[(option.IndexOf(' ', StringComparison.Ordinal) + 1)..]}_file are both set; choose one");
        }

        return file is null ? written : ReadLines(file, $"{option}_file").FirstOrDefault();
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
