using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>Where a configuration comes from.</summary>
/// <param name="Files">The <c>--config-file</c> options, in order.</param>
/// <param name="Folders">The <c>--config-dir</c> options, in order; read after the files.</param>
/// <param name="Environment">The process's environment.</param>
/// <param name="Store">The <c>--store</c> option; null where it was not given.</param>
public sealed record ConfigurationSources(
    IReadOnlyList<string> Files, IReadOnlyList<string> Folders, IReadOnlyDictionary<string, string> Environment, string? Store = null)
{
    /// <summary>The folder that is read where neither file nor folder was named.</summary>
    public const string DefaultFolder = "/etc/rbdbackup";

    /// <summary>No file, no variable: every option has its default.</summary>
    public static ConfigurationSources Nothing { get; } = new([], [], new Dictionary<string, string>()) { IgnoreDefaultFolder = true };

    /// <summary>True where <see cref="DefaultFolder"/> is not looked at.</summary>
    public bool IgnoreDefaultFolder { get; init; }
}

/// <summary>A configuration that was read.</summary>
/// <param name="Settings">What it says.</param>
/// <param name="Values">What was written, and where.</param>
/// <param name="Files">The files that were read, in order.</param>
/// <param name="Warnings">What is allowed but unwise; each one line.</param>
public sealed record LoadedConfiguration(
    RbdBackupSettings Settings, OptionValues Values, IReadOnlyList<string> Files, IReadOnlyList<string> Warnings);

/// <summary>
/// Reads the configuration: files, then <c>OS_SECTION__OPTION</c> variables, then the command line; each over the one before. Below all of them, for
/// [keystone] alone: clouds.yaml and OS_* variables.
/// </summary>
public static class ConfigurationLoader
{
    /// <summary>Reads, substitutes and validates.</summary>
    /// <exception cref="RbdBackupException">
    /// <see cref="ErrorKind.Usage"/>: everything that is wrong, one line for each, with file, line, section, option and what is allowed.
    /// </exception>
    public static LoadedConfiguration Load(ConfigurationSources sources)
    {
        ArgumentNullException.ThrowIfNull(sources);
        var files = ConfigurationFiles.Find(sources);
        var values = new OptionValues();
        var errors = new List<string>();
        var secretFiles = new SecretFiles(errors);
        foreach (var file in files)
        {
            var entries = IniFile.Parse(ConfigurationFiles.ReadText(file), file);
            Assign(values, entries, errors);
            secretFiles.CheckConfigurationFile(file, entries);
        }

        AssignEnvironment(values, sources.Environment);
        if (sources.Store is not null)
        {
            values.Set("store", "url", new OptionText(sources.Store.Replace("$", "$$", StringComparison.Ordinal), "--store"));
        }

        var clouds = CloudsYaml.Standard(sources.Environment);
        var keystone = new KeystoneSources(values, sources.Environment, clouds);
        keystone.Assign(errors);
        secretFiles.CheckModes(clouds.SecretFiles);
        var settings = keystone.Judge(secretFiles.Resolve(new SettingsBinder(values, errors).Bind()));
        if (errors.Count == 0)
        {
            errors.AddRange(SettingsRules.Check(settings));
        }

        return errors.Count == 0
            ? new LoadedConfiguration(settings, values, files, secretFiles.Warnings)
            : throw new RbdBackupException(
                ErrorKind.Usage, string.Join("\n", errors), "'rbdbackup config sample' lists every option with what is allowed.");
    }

    private static void Assign(OptionValues values, IReadOnlyList<IniEntry> entries, List<string> errors)
    {
        foreach (var entry in entries)
        {
            var section = OptionCatalog.Find(entry.Section);
            var option = section?.Find(entry.Key);
            if (section is null || option is null)
            {
                errors.Add(Unknown(entry, section));
                continue;
            }

            if (section.Named)
            {
                values.AddName(section.Name, entry.Section[(section.Name.Length + 1)..]);
            }

            values.Set(entry.Section, entry.Key, new OptionText(entry.Value, entry.Origin), append: option.IsList);
        }
    }

    private static string Unknown(IniEntry entry, SectionDefinition? section)
    {
        var where = $"{entry.Origin}: [{entry.Section}] {entry.Key}: there is no such";
        if (section is not null)
        {
            var option = NearestName.Find(entry.Key, section.Options.Select(o => o.Name));
            return $"{where} option{(option is null ? "" : $"; did you mean {option}?")}";
        }

        var name = NearestName.Find(entry.Section.Split(':')[0], OptionCatalog.Sections.Select(s => s.Name));
        var named = name is not null && OptionCatalog.Find(name) is null;
        return $"{where} section{(name is null ? "" : $"; did you mean [{name}{(named ? ":NAME" : "")}]?")}";
    }

    private static void AssignEnvironment(OptionValues values, IReadOnlyDictionary<string, string> environment)
    {
        var sections = OptionCatalog.Sections.SelectMany(s => s.Named
            ? values.Names(s.Name).Select(n => (Name: $"{s.Name}:{n}", Section: s))
            : [(s.Name, Section: s)]);
        foreach (var (name, section) in sections)
        {
            foreach (var option in section.Options)
            {
                var variable = $"OS_{EnvironmentName(name)}__{EnvironmentName(option.Name)}";
                if (environment.TryGetValue(variable, out var text))
                {
                    values.Set(name, option.Name, new OptionText(text, variable));
                }
            }
        }
    }

    /// <summary>Capitals, and an underscore for what a variable's name can't hold: <c>policy:daily</c> is <c>POLICY_DAILY</c>.</summary>
    private static string EnvironmentName(string name) =>
        string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToUpperInvariant(c) : '_'));
}
