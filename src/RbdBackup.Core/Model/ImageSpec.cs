using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace RbdBackup.Core.Model;

/// <summary>The name of an RBD image, written <c>[cluster:]pool[/namespace]/name</c>.</summary>
/// <param name="Pool">The pool's name; in one of several clusters, <c>CLUSTER:POOL</c>, by the name that the configuration gives the cluster.</param>
/// <param name="Namespace">The RBD namespace in the pool; empty for the default one.</param>
/// <param name="Name">The image's name.</param>
public sealed record ImageSpec(string Pool, string Namespace, string Name)
{
    /// <summary>An image in the default namespace of <paramref name="pool"/>.</summary>
    public ImageSpec(string pool, string name)
        : this(pool, "", name)
    {
    }

    /// <summary>What ends a cluster's name in front of a pool's.</summary>
    public const char ClusterEnd = ':';

    /// <summary>The cluster, by the name that the configuration gives it; null for the default one.</summary>
    [JsonIgnore]
    public string? Cluster => ClusterOf(Pool);

    /// <summary>The cluster of a pool, written <c>[CLUSTER:]POOL</c>; null for the default one.</summary>
    public static string? ClusterOf(string pool) => pool.IndexOf(ClusterEnd, StringComparison.Ordinal) is >= 0 and var colon ? pool[..colon] : null;

    /// <summary>A pool's name within its cluster.</summary>
    public static string PoolWithin(string pool) => pool[(pool.IndexOf(ClusterEnd, StringComparison.Ordinal) + 1)..];

    /// <summary>The image as its own cluster names it.</summary>
    public ImageSpec WithoutCluster() => this with { Pool = PoolWithin(Pool) };

    /// <summary>The image in the same pool and namespace under another name.</summary>
    public ImageSpec WithName(string name) => this with { Name = name };

    /// <summary>Reads <c>pool[/namespace]/name</c>.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: not of that form.</exception>
    public static ImageSpec Parse(string text) =>
        TryParse(text, out var spec)
            ? spec
            : throw new RbdBackupException(ErrorKind.Usage, $"'{text}' does not name an image", "Write pool/name or pool/namespace/name.");

    /// <summary>As <see cref="Parse"/>, without an exception.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ImageSpec? spec)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split('/');
        var good = parts.Length is 2 or 3 && parts.All(p => p.Length > 0 && !p.Contains('@') && !p.Any(char.IsControl));
        spec = !good ? null : parts.Length == 2 ? new ImageSpec(parts[0], parts[1]) : new ImageSpec(parts[0], parts[1], parts[2]);
        return good;
    }

    /// <summary><c>pool[/namespace]/name</c>.</summary>
    public override string ToString() => Namespace.Length == 0 ? $"{Pool}/{Name}" : $"{Pool}/{Namespace}/{Name}";
}

/// <summary>An image's name in JSON: <c>pool[/namespace]/name</c>.</summary>
public sealed class ImageSpecJsonConverter : JsonConverter<ImageSpec>
{
    /// <inheritdoc/>
    public override ImageSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        ImageSpec.TryParse(reader.GetString() ?? "", out var spec) ? spec : throw new JsonException("not an image, pool/name");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, ImageSpec value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(value);
        writer.WriteStringValue(value.ToString());
    }
}
