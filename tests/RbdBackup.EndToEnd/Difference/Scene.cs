using System.Text.Json;

namespace RbdBackup.EndToEnd.Difference;

/// <summary>An image with its repository: backs up, and holds what each point must give back.</summary>
public sealed class Scene(TestImage image, params string[] settings) : IAsyncDisposable
{
    private readonly List<(string Point, byte[] Content)> _points = [];

    public TestImage Image => image;

    public Sandbox Sandbox { get; } = new(settings);

    public IReadOnlyList<(string Point, byte[] Content)> Points => _points;

    /// <summary>Backs the image, or a snapshot of it, up and compares the point with it.</summary>
    /// <returns>The document that the backup printed.</returns>
    public async Task<JsonElement> BackupAsync(ulong? snapshot = null, string? name = null, params string[] options)
    {
        var content = await image.ReadAsync(snapshot);
        var document = await Sandbox.DoAsync(["backup", "image", name is null ? $"{image}" : $"{image}@{name}", .. options]);
        var point = document.GetProperty("id").GetString()!;
        _points.Add((point, content));
        AssertSame(content, await Sandbox.ExportFullAsync(point), $"point {_points.Count} ({document.GetProperty("reason").GetString()})");
        return document;
    }

    /// <summary>Backs up and demands an increment; its reason.</summary>
    public async Task<string> IncrementAsync()
    {
        var document = await BackupAsync();
        var reason = document.GetProperty("reason").GetString()!;
        Assert.True(document.GetProperty("kind").GetString() == "increment", $"a full, because: {reason}");
        return reason;
    }

    /// <summary>Backs up and demands a full for a reason.</summary>
    public async Task FullAsync(string reason)
    {
        var document = await BackupAsync();
        Assert.Equal("full", document.GetProperty("kind").GetString());
        Assert.Contains(reason, document.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    /// <summary>Prunes points, which then are none any more.</summary>
    public async Task PruneAsync(params string[] points)
    {
        await Sandbox.DoAsync(["prune", .. points]);
        _points.RemoveAll(p => points.Contains(p.Point));
    }

    /// <summary>Exports what makes the one point of the other, and compares.</summary>
    public async Task CheckPairAsync((string Point, byte[] Content) from, (string Point, byte[] Content) to)
    {
        var file = Path.Combine(Sandbox.Folder, $"{to.Point}.pair");
        await Sandbox.DoAsync("export", to.Point, "--from", from.Point, "-o", file);
        AssertSame(to.Content, DiffFile.Apply(file, [.. from.Content]), $"point {to.Point}, made of {from.Point}");
        File.Delete(file);
    }

    /// <summary>Exports every point and the ways between neighbours again, and restores the last one as an image.</summary>
    public async Task CheckAllAsync(Mini mini)
    {
        foreach (var (point, content) in _points)
        {
            AssertSame(content, await Sandbox.ExportFullAsync(point), $"point {point}, at the end");
        }

        foreach (var (a, b) in _points.Zip(_points.Skip(1)))
        {
            await CheckPairAsync(a, b);
            await CheckPairAsync(b, a);
        }

        await using var target = mini.Target();
        await Sandbox.DoAsync("restore", _points[^1].Point, "--to", $"{target}");
        AssertSame(_points[^1].Content, await target.ReadAsync(), "the restored image");
    }

    public static void AssertSame(byte[] expected, byte[] actual, string what)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} bytes instead of {expected.Length}");
        var at = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(at == expected.Length, $"{what} differs from byte {at} on");
    }

    public async ValueTask DisposeAsync()
    {
        await image.DisposeAsync();
        Sandbox.Dispose();
    }
}
