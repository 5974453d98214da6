using System.Text.Json;
using System.Text.Json.Serialization;

namespace RbdBackup.OpenStack.Images;

/// <summary>An image in Glance.</summary>
public sealed record GlanceImage
{
    private static readonly string[] NovasPrefixes = ["hw_", "os_", "img_", "trait:"], GlancesOwn = ["os_hash_", "os_hidden", "os_glance_"];

    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its name; null where it has none.</summary>
    public string? Name { get; init; }

    /// <summary>Such as <c>active</c>, <c>queued</c>, <c>deactivated</c>.</summary>
    public required string Status { get; init; }

    /// <summary>The project that owns it; null for an image of the cloud's.</summary>
    public string? Owner { get; init; }

    /// <summary><c>public</c>, <c>private</c>, <c>shared</c> or <c>community</c>.</summary>
    public string? Visibility { get; init; }

    /// <summary>Such as <c>raw</c> or <c>qcow2</c>; null before it has data.</summary>
    public string? DiskFormat { get; init; }

    /// <summary>Such as <c>bare</c>.</summary>
    public string? ContainerFormat { get; init; }

    /// <summary>Its bytes; null before it has data.</summary>
    public long? Size { get; init; }

    /// <summary>The least disk that it needs, in GiB.</summary>
    public int MinDisk { get; init; }

    /// <summary>The least memory that it needs, in MiB.</summary>
    public int MinRam { get; init; }

    /// <summary>When it was made; UTC.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>The server that <c>openstack server backup create</c> made it of, by what its owner may write there too; null where it is no such image.</summary>
    [JsonIgnore]
    public string? BackupOfServer => Text("image_type") == "backup" && Guid.TryParseExact(Text("instance_uuid"), "D", out var id) ? id.ToString("D") : null;

    /// <summary>What else is set on it: properties such as <c>hw_disk_bus</c>, and members that this record does not name.</summary>
    // What reads an answer sets it afterwards: neither init nor a property without set would be filled.
    [JsonExtensionData]
    public IDictionary<string, JsonElement> Properties { get; set; } = new Dictionary<string, JsonElement>();

    /// <summary>The properties that Nova makes a server by: <c>hw_disk_bus</c>, <c>os_type</c> and the like.</summary>
    [JsonIgnore]
    public IReadOnlyDictionary<string, string> ForNova => Properties.Keys
        .Where(key => NovasPrefixes.Any(prefix => key.StartsWith(prefix, StringComparison.Ordinal)) && !GlancesOwn.Any(own => key.StartsWith(own, StringComparison.Ordinal)))
        .Select(key => (Key: key, Value: Text(key))).Where(pair => pair.Value is not null).ToDictionary(pair => pair.Key, pair => pair.Value!);

    private string? Text(string property) => Properties.TryGetValue(property, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
