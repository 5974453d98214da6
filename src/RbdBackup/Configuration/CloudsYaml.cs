using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace RbdBackup.Configuration;

/// <summary>
/// clouds.yaml, and secure.yaml over it, where openstacksdk looks for them: the file that OS_CLIENT_CONFIG_FILE names, the current folder, the user's and
/// the machine's openstack folder. The first that is there counts.
/// </summary>
/// <param name="folders">Where to look, in order.</param>
/// <param name="environment">The process's environment.</param>
internal sealed class CloudsYaml(IReadOnlyList<string> folders, IReadOnlyDictionary<string, string> environment)
{
    private static readonly string[] Extensions = [".yaml", ".yml", ".json"];

    /// <summary>Those of openstacksdk.</summary>
    public static CloudsYaml Standard(IReadOnlyDictionary<string, string> environment)
    {
        var home = environment.GetValueOrDefault("HOME", "/");
        var mine = environment.GetValueOrDefault("XDG_CONFIG_HOME") is { Length: > 0 } configured ? configured : Path.Combine(home, ".config");
        return new CloudsYaml([Directory.GetCurrentDirectory(), Path.Combine(mine, "openstack"), "/etc/openstack"], environment);
    }

    /// <summary>The files that were read, and hold secrets.</summary>
    public List<string> SecretFiles { get; } = [];

    /// <summary>What they say of one cloud.</summary>
    /// <exception cref="FormatException">There is no such file or cloud, or it asks for what we don't do; the message says so.</exception>
    public CloudWords Read(string cloud)
    {
        var file = Find("clouds", "OS_CLIENT_CONFIG_FILE")
            ?? throw new FormatException($"the cloud '{cloud}' is named, and there is no clouds.yaml in {string.Join(", ", folders)}");
        var origin = $"{file}: cloud '{cloud}'";
        var clouds = Clouds(file);
        var words = clouds.GetValueOrDefault(cloud)
            ?? throw new FormatException($"{file} has no cloud '{cloud}'; it has: {(clouds.Count == 0 ? "none" : string.Join(", ", clouds.Keys.Order(StringComparer.Ordinal)))}");
        Note(file, words);
        if (Find("secure", "OS_CLIENT_SECURE_FILE") is { } secure && Clouds(secure).GetValueOrDefault(cloud) is { } secrets)
        {
            Note(secure, secrets);
            words = words.Concat(secrets).GroupBy(word => word.Key).ToDictionary(same => same.Key, same => same.Last().Value);
        }
        return CloudWords.Of(origin, words);
    }

    private void Note(string file, Dictionary<string, string> words)
    {
        if (words.ContainsKey("password") || words.ContainsKey("application_credential_secret"))
        {
            SecretFiles.Add(file);
        }
    }

    private string? Find(string name, string variable) =>
        new[] { environment.GetValueOrDefault(variable) }
            .Concat(folders.SelectMany(folder => Extensions.Select(extension => Path.Combine(folder, name + extension))))
            .FirstOrDefault(File.Exists);

    /// <summary>Every cloud's words by its name, those of its auth among them.</summary>
    private static Dictionary<string, Dictionary<string, string>> Clouds(string file)
    {
        try
        {
            using var text = File.OpenText(file);
            var stream = new YamlStream();
            stream.Load(new MergingParser(new Parser(text)));
            var clouds = stream.Documents.Select(document => document.RootNode).OfType<YamlMappingNode>().SelectMany(root => Mappings(root, "clouds")).SelectMany(node => node.Children);
            return clouds.Where(cloud => cloud.Value is YamlMappingNode).ToDictionary(cloud => $"{cloud.Key}", cloud => WordsOf((YamlMappingNode)cloud.Value));
        }
        catch (YamlException e)
        {
            // Its text may repeat what stands there.
            throw new FormatException($"{file}:{e.Start.Line}: this is no YAML", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"{file} can't be read: {e.Message}", e);
        }
    }

    private static Dictionary<string, string> WordsOf(YamlMappingNode cloud)
    {
        var words = new[] { cloud }.Concat(Mappings(cloud, "auth")).SelectMany(node => node.Children)
            .Where(child => child.Value is YamlScalarNode { Value: not null })
            .GroupBy(child => $"{child.Key}".Replace('-', '_'))
            .ToDictionary(same => same.Key, same => ((YamlScalarNode)same.Last().Value).Value!);
        if (Child(cloud, "regions") is YamlSequenceNode { Children: [var first, ..] })
        {
            // A region may have settings of its own.
            words.TryAdd("region_name", first is YamlMappingNode region ? $"{Child(region, "name")}" : $"{first}");
        }
        return words;
    }

    private static IEnumerable<YamlMappingNode> Mappings(YamlMappingNode node, string name) =>
        Child(node, name) is YamlMappingNode found ? [found] : [];

    private static YamlNode? Child(YamlMappingNode node, string name) => node.Children.TryGetValue(new YamlScalarNode(name), out var child) ? child : null;
}
