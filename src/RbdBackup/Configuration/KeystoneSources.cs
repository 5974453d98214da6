namespace RbdBackup.Configuration;

/// <summary>
/// Where [keystone] gets its values from besides our own files. Whole, from one place only, so that no password goes to an address that it was not meant
/// for: [keystone] itself; else the cloud that its option cloud names in clouds.yaml; else, where it says nothing of who we are, the cloud that OS_CLOUD
/// names; else OS_AUTH_URL and its like.
/// </summary>
internal sealed class KeystoneSources(OptionValues values, IReadOnlyDictionary<string, string> environment, CloudsYaml clouds)
{
    private const string Section = "keystone";

    /// <summary>What says which endpoints are taken, not who we are; in [keystone] it counts more than elsewhere.</summary>
    private static readonly string[] NotWho = ["region_name", "valid_interfaces", "cafile"];

    private static readonly SectionDefinition Known = OptionCatalog.Of<KeystoneSettings>();

    /// <summary>Why what is not in our files can't be used; null where nothing is wrong with it. It matters only where Keystone is needed.</summary>
    public string? Problem { get; private set; }

    /// <summary>True where the values are not from our files, and nobody asked for them there.</summary>
    public bool IsAmbient { get; private set; }

    /// <summary>Takes the values into [keystone].</summary>
    public void Assign(List<string> errors)
    {
        if (Written("cloud") is { } cloud)
        {
            Try(() => clouds.Read(values.Substitute(cloud.Text, Section)), problem => errors.Add($"{cloud.Origin}: [keystone] cloud: {problem}"));
        }
        else if (Known.Options.All(option => NotWho.Contains(option.Name) || Written(option.Name) is null))
        {
            IsAmbient = true;
            if (environment.GetValueOrDefault("OS_CLOUD") is { Length: > 0 } named)
            {
                Try(() => clouds.Read(named), problem => Problem = $"OS_CLOUD: {problem}");
            }
            else if (environment.GetValueOrDefault("OS_AUTH_URL") is { Length: > 0 })
            {
                Try(() => CloudWords.Of("OS_* variables", Variables()), problem => Problem = problem);
            }
        }
    }

    /// <summary>The settings; without what is incomplete and nobody asked for.</summary>
    public RbdBackupSettings Judge(RbdBackupSettings settings)
    {
        Problem ??= IsAmbient ? SettingsRules.CheckKeystone(settings.Keystone).FirstOrDefault() : null;
        return Problem is null ? settings : settings with { Keystone = settings.Keystone with { AuthType = null }, KeystoneProblem = Problem };
    }

    private void Try(Func<CloudWords> read, Action<string> fail)
    {
        try
        {
            var words = read();
            foreach (var (option, text) in words.Options.Where(word => Written(word.Key) is null && Written($"{word.Key}_file") is null))
            {
                values.Set(Section, option, new OptionText(text.Replace("$", "$$", StringComparison.Ordinal), words.Origin));
            }
        }
        catch (FormatException e)
        {
            fail(e.Message);
        }
    }

    private OptionText? Written(string option) =>
        Known.Find(option) is { } definition && values.Get(Section, definition) is { Origin: not "default", Text.Length: > 0 } written ? written : null;

    /// <summary>OS_AUTH_URL as auth_url, and so on; but not OS_KEYSTONE__AUTH_URL, which is an option of ours.</summary>
    private Dictionary<string, string> Variables() => environment
        .Where(variable => variable.Key.StartsWith("OS_", StringComparison.Ordinal) && !variable.Key.Contains("__", StringComparison.Ordinal))
        .ToDictionary(variable => variable.Key[3..].ToLowerInvariant(), variable => variable.Value);
}
