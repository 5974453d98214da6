using System.Diagnostics.CodeAnalysis;
using RbdBackup.Core.Model;

namespace RbdBackup.Configuration;

/// <summary>Reads option texts into the sections' records, and collects what is wrong instead of stopping at the first.</summary>
internal sealed class SettingsBinder(OptionValues values, List<string> errors)
{
    public RbdBackupSettings Bind()
    {
        var settings = BindAll();
        return settings with { Clusters = values.Names("ceph").ToDictionary(n => n, n => Bind<ClusterSettings>($"ceph:{n}").Over(settings.Ceph, n)) };
    }

    private RbdBackupSettings BindAll() => new()
    {
        General = Bind<GeneralSettings>(),
        Ceph = Bind<CephSettings>(),
        Store = Bind<StoreSettings>(),
        Keystone = Bind<KeystoneSettings>(),
        Repository = Bind<RepositorySettings>(),
        Encryption = Bind<EncryptionSettings>(),
        Backup = Bind<BackupSettings>(),
        Restore = Bind<RestoreSettings>(),
        Rotation = Bind<RotationSettings>(),
        Jobs = Bind<JobsSettings>(),
        Sweep = Bind<SweepSettings>(),
        Notifications = Bind<NotificationsSettings>(),
        Tenants = Bind<TenantsSettings>(),
        Http = Bind<HttpSettings>(),
        Policies = values.Names("policy").ToDictionary(n => n, n => Bind<PolicySettings>($"policy:{n}")),
    };

    private T Bind<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] T>(string? name = null)
    {
        var section = OptionCatalog.Of<T>();
        var record = Activator.CreateInstance<T>();
        foreach (var option in section.Options)
        {
            // What is wrong leaves the property as it is: the record is thrown away with the error.
            if (Read(name ?? section.Name, option) is { } value)
            {
                option.Property.SetValue(record, value);
            }
        }

        return record;
    }

    private object? Read(string section, OptionDefinition option)
    {
        var written = values.Get(section, option);
        string text;
        try
        {
            text = written is null ? "" : values.Substitute(written.Text, section);
        }
        catch (RbdBackupException e)
        {
            // The message repeats what follows the dollar sign, which may be half of a password.
            var what = option.Secret ? "a $name in it names no option; write $$ for a dollar sign" : e.Message;
            errors.Add(Describe(section, option, written!, what));
            return null;
        }

        if (option.IsList)
        {
            return ReadList(section, option, written, text);
        }

        if (text.Length == 0 && option.DefaultValue is null)
        {
            return null;
        }

        return option.Parse(text) ?? Fail(section, option, written!, text);
    }

    private object ReadList(string section, OptionDefinition option, OptionText? written, string text)
    {
        var values = new List<object>();
        foreach (var item in text.Split(option.Separators, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if ((option.Parse(item) ?? Fail(section, option, written!, item)) is { } value)
            {
                values.Add(value);
            }
        }

        return option.Syntax.List(values);
    }

    private object? Fail(string section, OptionDefinition option, OptionText written, string text)
    {
        var shown = option.Secret ? "that value" : $"'{text.ReplaceLineEndings(" ")}'";
        errors.Add(Describe(section, option, written, $"{shown} is not allowed; allowed is {option.Allowed}"));
        return null;
    }

    private static string Describe(string section, OptionDefinition option, OptionText written, string what) =>
        $"{written.Origin}: [{section}] {option.Name}: {what}";
}
