using System.Text;
using System.Text.Json;

namespace RbdBackup.OpenStack.Tests;

/// <summary>A message that a real service sent, as it was recorded.</summary>
internal sealed record Capture(string Name, string? ContentType, byte[] Body)
{
    public static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Captures");

    public static IReadOnlyList<Capture> All { get; } = [.. Directory.EnumerateFiles(Folder, "*.json").Order(StringComparer.Ordinal).Select(Read)];

    public static Capture Named(string name) => All.Single(c => c.Name == name);

    public Notification Parse() => NotificationParser.Parse(Body, ContentType);

    /// <summary>What it means where the policy's key is the one that was in use when the captures were made.</summary>
    public DiskEvent Meaning() => Assert.Single(NotificationMeaning.Of(Parse(), Options));

    public static MeaningOptions Options { get; } = new() { PolicyKey = "backup" };

    private static Capture Read(string file)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(file));
        var root = json.RootElement;
        return new Capture(
            Path.GetFileNameWithoutExtension(file),
            root.GetProperty("properties").GetProperty("content_type").GetString(),
            Encoding.UTF8.GetBytes(root.GetProperty("body").GetString()!));
    }
}
