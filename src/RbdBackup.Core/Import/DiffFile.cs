using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;
using RbdBackup.Core.Diff;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Import;

/// <summary>
/// A diff in a file, read once from end to end before anything is stored: its names, its size, and where in the file each range's bytes are. May be read by
/// many at a time. Memory: 24 bytes for each record of the diff, whatever they hold.
/// </summary>
public sealed class DiffFile : IDisposable
{
    private const int Buffer = 1 << 20;

    private readonly SafeFileHandle _file;
    private readonly List<(long Offset, long Length, long Position)> _data = [];

    private DiffFile(string path, SafeFileHandle file) => (Path, _file) = (path, file);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The snapshot that it starts from; null for a full.</summary>
    public string? FromSnap { get; private set; }

    /// <summary>The snapshot that it leads to; null where it names none.</summary>
    public string? ToSnap { get; private set; }

    /// <summary>The image's size, in bytes.</summary>
    public long Size { get; private set; }

    /// <summary>What it tells of, ascending, neighbours joined.</summary>
    public IReadOnlyList<Extent> Extents { get; private set; } = [];

    /// <summary>The XXH128 of the file's bytes, in hexadecimal.</summary>
    public string Hash { get; private set; } = "";

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file; it must not change until this is disposed.</param>
    /// <param name="maxExtents">How many extents it may have, after neighbours were joined.</param>
    /// <param name="onRead">Told how many bytes of how many were read.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <exception cref="RbdBackupException">Corrupt: it is no whole diff, or its ranges overlap; Unsupported: it has too many of them.</exception>
    public static async Task<DiffFile> OpenAsync(string path, int maxExtents, Action<long, long> onRead, CancellationToken cancel)
    {
        await using var input = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, Buffer);
        var opened = new DiffFile(path, File.OpenHandle(path, options: FileOptions.RandomAccess));
        try
        {
            await opened.ReadAsync(input, maxExtents, onRead, cancel);
            input.Position = 0;
            var hash = new XxHash128();
            await hash.AppendAsync(input, cancel);
            opened.Hash = Convert.ToHexStringLower(hash.GetCurrentHash());
            return opened;
        }
        catch (RbdBackupException e)
        {
            opened.Dispose();
            throw new RbdBackupException(e.Kind, $"{path}: {e.Message}", "Nothing of it was stored. Write it again with 'rbd export-diff'.", e);
        }
    }

    /// <summary>Reads the bytes of extents that exist, one behind the other.</summary>
    public void Read(IEnumerable<Extent> extents, Span<byte> destination)
    {
        foreach (var extent in extents.Where(e => e.Exists))
        {
            for (var at = extent.Offset; at < extent.End;)
            {
                var (offset, length, position) = _data[Find(at)];
                var take = (int)(Math.Min(extent.End, offset + length) - at);
                Fill(position + at - offset, destination[..take]);
                destination = destination[take..];
                at += take;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private async Task ReadAsync(FileStream input, int maxExtents, Action<long, long> onRead, CancellationToken cancel)
    {
        // 'rbd import-diff' takes ranges in any order; one over the other has no place in a frame.
        var reader = new DiffStreamReader(input, new DiffLimits { AllowUnordered = true });
        var (ranges, sized) = (new List<(Extent Extent, long Position)>(), false);
        var buffer = new byte[Buffer];
        while (await reader.ReadAsync(cancel) is { } record)
        {
            FromSnap = record.Tag == DiffTag.FromSnap ? record.Name : FromSnap;
            ToSnap = record.Tag == DiffTag.ToSnap ? record.Name : ToSnap;
            (Size, sized) = record.Tag == DiffTag.Size ? (record.Length, true) : (Size, sized);
            if (record.Tag is DiffTag.Data or DiffTag.Zero)
            {
                ranges.Add((new Extent(record.Offset, record.Length, record.Tag == DiffTag.Data), input.Position));
                while (await reader.ReadDataAsync(buffer, cancel) > 0)
                {
                }

                onRead(input.Position, input.Length);
            }
        }

        var wrong = !sized ? "it does not say the image's size" : input.Position < input.Length ? $"{input.Length - input.Position} bytes follow its end" : null;
        if (wrong is not null)
        {
            throw new RbdBackupException(ErrorKind.Corrupt, wrong, "");
        }

        Sort(ranges, maxExtents);
    }

    private void Sort(List<(Extent Extent, long Position)> ranges, int maxExtents)
    {
        ranges.Sort((a, b) => a.Extent.Offset.CompareTo(b.Extent.Offset));
        var extents = new List<Extent>();
        foreach (var (extent, position) in ranges)
        {
            if (extents.Count > 0 && extents[^1].End > extent.Offset)
            {
                throw new RbdBackupException(ErrorKind.Corrupt, $"two of its ranges overlap at byte {extent.Offset} of the image", "");
            }

            if (extent.Exists)
            {
                _data.Add((extent.Offset, extent.Length, position));
            }

            var follows = extents.Count > 0 && extents[^1].End == extent.Offset && extents[^1].Exists == extent.Exists;
            extents.Add(follows ? extents[^1] with { Length = extents[^1].Length + extent.Length } : extent);
            extents.RemoveRange(extents.Count - (follows ? 2 : 1), follows ? 1 : 0);
        }

        Extents = extents.Count <= maxExtents ? extents : throw new RbdBackupException(
            ErrorKind.Unsupported, $"it has {extents.Count} extents, and a plan holds {maxExtents}; raise [repository] plan_extents", "");
    }

    private int Find(long offset)
    {
        var (low, high) = (0, _data.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = _data[middle].Offset <= offset ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private void Fill(long position, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(_file, destination, position);
            position += read > 0 ? read : throw new RbdBackupException(ErrorKind.Corrupt, $"{Path} became shorter while it was imported", "Import it again.");
            destination = destination[read..];
        }
    }
}
