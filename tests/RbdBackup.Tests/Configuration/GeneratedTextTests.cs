using System.Text.Json;
using System.Text.RegularExpressions;
using RbdBackup.Configuration;

namespace RbdBackup.Tests.Configuration;

public sealed class GeneratedTextTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_sample_with_every_option_taken_in_gives_the_defaults()
    {
        var sample = Regex.Replace(Sample(), "^#(?=\\S)", "", RegexOptions.Multiline);
        var options = OptionCatalog.Sections.Sum(s => s.Options.Count);
        Assert.Equal(options, Regex.Count(sample, "^[a-z0-9_]+ =", RegexOptions.Multiline));

        var loaded = _folder.Load(sample.Replace("[policy:NAME]", "[policy:daily]", StringComparison.Ordinal).Replace("[ceph:NAME]", "[ceph:name]", StringComparison.Ordinal)).Settings;
        var usual = ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings;
        Assert.Equal(Json(usual), Json(loaded with { Clusters = usual.Clusters }));

        // A further cluster that says nothing of its own is the default one but for its name.
        var more = loaded.Clusters["name"];
        var expected = usual.Ceph with { Name = "name", Conf = "/etc/ceph/name.conf", Cluster = "name", VmsPool = $"name:{usual.Ceph.VmsPool}", VolumesPool = $"name:{usual.Ceph.VolumesPool}" };
        Assert.Equal(JsonSerializer.Serialize(expected), JsonSerializer.Serialize(more));
    }

    [Fact]
    public void The_sample_as_it_is_sets_nothing() =>
        Assert.Equal(Json(ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings), Json(_folder.Load(Sample()).Settings));

    [Fact]
    public void The_documentation_is_what_the_command_prints()
    {
        var writer = new StringWriter { NewLine = "\n" };
        ReferenceWriter.Write(writer);
        var documented = File.ReadAllText(TopFolder.Of("docs/configuration.md"));
        Assert.True(
            documented.TrimEnd().EndsWith(writer.ToString().TrimEnd(), StringComparison.Ordinal),
            "docs/configuration.md does not end with what 'rbdbackup config reference' prints");
    }

    private static string Sample()
    {
        var writer = new StringWriter { NewLine = "\n" };
        SampleWriter.Write(writer);
        return writer.ToString();
    }

    private static string Json(RbdBackupSettings settings) => JsonSerializer.Serialize(settings);
}
