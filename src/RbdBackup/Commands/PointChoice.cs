using System.CommandLine;
using System.Runtime.CompilerServices;
using RbdBackup.Cli;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Commands;

/// <summary>Which points a command works on: those that are named, an image's, or all.</summary>
internal sealed class PointChoice
{
    private readonly HashSet<PointId> _named;
    private readonly ImageSpec? _image;
    private readonly bool _all;

    private PointChoice(HashSet<PointId> named, ImageSpec? image, bool all) => (_named, _image, _all) = (named, image, all);

    /// <summary>True where points were named.</summary>
    public bool Named => _named.Count > 0;

    /// <summary>Reads a command's options, of which exactly one must be given.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>.</exception>
    public static PointChoice Of(CommandContext context, Argument<string[]> points, Option<bool> all, Option<string?> image)
    {
        var choice = new PointChoice(
            (context.Get(points) ?? []).Select(PointId.Parse).ToHashSet(), context.Get(image) is { } given ? ImageSpec.Parse(given) : null, context.Get(all));
        return new[] { choice.Named, choice._image is not null, choice._all }.Count(given => given) == 1
            ? choice
            : throw new RbdBackupException(ErrorKind.Usage, "which points? Give their ids, --image or --all, one of them", "'rbdbackup list' shows the points.");
    }

    /// <summary>The points, oldest first, each with what is known of its disk; disk by disk, so that only one disk's manifests are held.</summary>
    /// <exception cref="RbdBackupException">NotFound: one that was named is not there.</exception>
    public async IAsyncEnumerable<(Manifest Point, IReadOnlyList<Manifest> Known)> ReadAsync(
        PointRepository repository, Action<RbdBackupException> onDamaged, [EnumeratorCancellation] CancellationToken cancel)
    {
        var disks = new Dictionary<string, HashSet<PointId>>();
        await foreach (var key in repository.ListAsync(Keys.PointsPrefix, cancel))
        {
            if (_all || _named.Contains(key.Point) || (_image is not null && Keys.ParseDisk(key.Disk).Image == _image))
            {
                disks.TryAdd(key.Disk, []);
                disks[key.Disk].Add(key.Point);
            }
        }

        var missing = _named.Except(disks.Values.SelectMany(d => d)).ToList();
        if (missing.Count > 0 || (_image is not null && disks.Count == 0))
        {
            throw new RbdBackupException(
                ErrorKind.NotFound, $"there is no point {(_image is null ? string.Join(", ", missing) : $"of {_image}")} in {repository.Store.Url}", "'rbdbackup list' shows the points.");
        }

        foreach (var (disk, wanted) in disks)
        {
            var known = await repository.ReadDiskAsync(disk, onDamaged, cancel);
            foreach (var point in known.Where(p => wanted.Contains(p.Point)))
            {
                yield return (point, known);
            }
        }
    }

    /// <summary>Notes a manifest that can't be read. One that was removed between listing and reading is no damage.</summary>
    public static void Damaged(CommandContext context, List<string> unreadable, RbdBackupException e)
    {
        if (e.Kind is ErrorKind.Corrupt or ErrorKind.Unsupported)
        {
            context.Note($"damaged: {e.Message}");
            lock (unreadable)
            {
                unreadable.Add(e.Message);
            }
        }
    }
}
