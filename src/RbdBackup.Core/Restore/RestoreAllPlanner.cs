using RbdBackup.Core.Model;
using RbdBackup.Core.Rotate;

namespace RbdBackup.Core.Restore;

/// <summary>What of a repository is to be brought back.</summary>
/// <param name="At">The moment that the images are to be as at.</param>
public sealed record RestoreAllAsk(DateTimeOffset At)
{
    /// <summary>Only images of which there is a point since; null: however old the last one is.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Only images of these pools; empty: of all.</summary>
    public IReadOnlyCollection<string> Pools { get; init; } = [];

    /// <summary>Only disks of these OpenStack projects; empty: of all.</summary>
    public IReadOnlyCollection<string> Projects { get; init; } = [];

    /// <summary>What comes first: <c>policy:NAME</c>, <c>project:ID</c>, <c>pool:NAME</c>, <c>image:POOL/NAME</c>, the most important first.</summary>
    public IReadOnlyList<Priority> Priorities { get; init; } = [];

    /// <summary>True: also images whose name is taken; what is there goes to the trash.</summary>
    public bool Replace { get; init; }
}

/// <summary>One of the words that say what is important.</summary>
/// <param name="Kind"><c>policy</c>, <c>project</c>, <c>pool</c> or <c>image</c>.</param>
/// <param name="Value">Which one.</param>
public sealed record Priority(string Kind, string Value)
{
    private static readonly string[] Kinds = ["policy", "project", "pool", "image"];

    /// <summary>Reads <c>KIND:VALUE</c>.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>.</exception>
    public static Priority Parse(string text) => text.Split(':', 2) is [var kind, { Length: > 0 } value] && Kinds.Contains(kind)
        ? new Priority(kind, value)
        : throw new RbdBackupException(ErrorKind.Usage, $"'{text}' says no priority", "Give policy:NAME, project:ID, pool:NAME or image:POOL/NAME.");

    internal bool Fits(RotationPoint point, ImageSpec image) => Value == Kind switch
    {
        "policy" => point.Policy,
        "project" => point.Project,
        "pool" => image.Pool,
        _ => image.ToString(),
    };
}

/// <summary>What becomes of an image.</summary>
public enum RestoreVerdict
{
    /// <summary>It is restored.</summary>
    Restore,

    /// <summary>Its name is taken: nothing is done.</summary>
    Exists,

    /// <summary>There is no point of it that can be read and is as old as was asked.</summary>
    NoPoint,
}

/// <summary>An image, and what becomes of it.</summary>
/// <param name="Image">Its name.</param>
/// <param name="Verdict">What becomes of it.</param>
/// <param name="Point">The point to restore; null where there is none.</param>
public sealed record RestoreItem(ImageSpec Image, RestoreVerdict Verdict, RotationPoint? Point)
{
    /// <summary>The image's size at the point, in bytes; 0 where there is none.</summary>
    public long Size { get; init; }
}

/// <summary>Decides which point of each image is brought back, and in what order. Pure.</summary>
public static class RestoreAllPlanner
{
    /// <summary>The images, the most important first, then by name.</summary>
    /// <param name="points">All points of the repository. Where several clusters had an image of one name, the newest point of them counts.</param>
    /// <param name="imageOf">The image of a disk's part of keys.</param>
    /// <param name="exists">True where an image has the name now.</param>
    /// <param name="ask">What is asked.</param>
    public static IReadOnlyList<RestoreItem> Plan(
        IReadOnlyCollection<RotationPoint> points, Func<string, ImageSpec> imageOf, Func<ImageSpec, bool> exists, RestoreAllAsk ask)
    {
        var whole = RotationPoint.Whole(points);
        var items = new List<(int Rank, RestoreItem Item)>();
        foreach (var image in points.GroupBy(p => imageOf(p.Disk)).Where(g => ask.Pools.Count == 0 || ask.Pools.Contains(g.Key.Pool)))
        {
            var point = image.Where(p => p.Created <= ask.At && whole.Contains(p.Point)).MaxBy(p => (p.Created, p.Point));
            var known = point ?? image.MaxBy(p => p.Created)!;
            if ((ask.Projects.Count > 0 && !ask.Projects.Contains(known.Project ?? "")) || (ask.Since is { } since && known.Created < since))
            {
                continue;
            }

            var verdict = point is null ? RestoreVerdict.NoPoint : !ask.Replace && exists(image.Key) ? RestoreVerdict.Exists : RestoreVerdict.Restore;
            items.Add((Rank(known, image.Key, ask.Priorities), new RestoreItem(image.Key, verdict, point)));
        }

        return [.. items.OrderBy(i => i.Rank).ThenBy(i => i.Item.Image.ToString(), StringComparer.Ordinal).Select(i => i.Item)];
    }

    private static int Rank(RotationPoint point, ImageSpec image, IReadOnlyList<Priority> priorities) =>
        priorities.Index().Where(p => p.Item.Fits(point, image)).Select(p => p.Index).DefaultIfEmpty(priorities.Count).First();
}
