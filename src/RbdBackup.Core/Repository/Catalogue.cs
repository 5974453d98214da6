using System.Buffers;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>A catalogue's directory: the parts that hold its copies. It is stored last; parts without one are no catalogue.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Written">When it was written.</param>
/// <param name="Parts">The parts, in the order of the keys in them.</param>
public sealed record CatalogueDirectory(int Format, DateTimeOffset Written, IReadOnlyList<CataloguePart> Parts);

/// <summary>A part of a catalogue.</summary>
/// <param name="Key">Its key.</param>
/// <param name="First">The first manifest's key in it.</param>
/// <param name="Last">The last one's.</param>
/// <param name="Count">How many it holds.</param>
public sealed record CataloguePart(string Key, string First, string Last, int Count);

/// <summary>A point that was read by the help of a catalogue.</summary>
/// <param name="Point">Its highest valid revision.</param>
/// <param name="Stored">The manifest's bytes.</param>
/// <param name="IsCopy">True where they come from the catalogue, false where the manifest itself was read.</param>
public sealed record CataloguedPoint(Manifest Point, byte[] Stored, bool IsCopy);

/// <summary>
/// Copies of many manifests in few objects, so that who lists points need not read each manifest. What points there are, a listing of their keys says, always;
/// a copy counts where its key is in that listing, its length is that of the object, and its digest is right: since keys are written once, it is then what the
/// object held when it was written. All others are read themselves. So a catalogue may be old, damaged, another repository's, or missing, and only time is lost.
/// Where more depends on a manifest than a list or a plan, the manifest itself is read.
/// </summary>
public sealed class Catalogue(PointRepository repository)
{
    /// <summary>A part is closed when it has grown to this, before compression, in bytes.</summary>
    internal const int PartBytes = 4 << 20;

    /// <summary>A manifest longer than this has no copy.</summary>
    internal const int MaxCopy = 1 << 20;

    /// <summary>All points, each with its highest valid revision, disk by disk, points ascending.</summary>
    /// <param name="onDamaged">Told of each manifest that can't be read, perhaps from several threads; it is passed over.</param>
    /// <param name="cancel">Ends the listing.</param>
    /// <param name="which">Tells by their keys which manifests are wanted; null: all are.</param>
    public IAsyncEnumerable<CataloguedPoint> ReadAsync(Action<RbdBackupException>? onDamaged, CancellationToken cancel, Predicate<ManifestKey>? which = null) =>
        WithCopiesAsync(which, cancel)
            .SelectParallelAsync(PointRepository.ReadsInFlight, (point, token) => ReadAsync(point.Revisions, point.Copy, onDamaged, token), cancel)
            .OfType<CataloguedPoint>();

    /// <summary>
    /// Writes a new catalogue of all points, by the help of the newest one that is there. Older ones stay for who is reading them, until a collection. Two that write at
    /// once write two, each as good as the other.
    /// </summary>
    public async Task WriteAsync(CancellationToken cancel)
    {
        // A clock that went back must not put the new one behind an older one.
        var written = repository.Now;
        await foreach (var stored in repository.Store.ListAsync(Keys.CataloguePrefix, cancel))
        {
            written = Keys.TryParseCatalogue(stored.Key) is { } other && other.Written >= written ? other.Written.AddMilliseconds(1) : written;
        }

        var (attempt, parts, part) = (AttemptId.New(), new List<CataloguePart>(), new PartWriter());
        await foreach (var point in ReadAsync(null, cancel))
        {
            part.Add(point);
            if (part.Length >= PartBytes)
            {
                parts.Add(await StoreAsync(part, Keys.CataloguePart(written, attempt, parts.Count), cancel));
                part = new PartWriter();
            }
        }

        if (part.Length > 0)
        {
            parts.Add(await StoreAsync(part, Keys.CataloguePart(written, attempt, parts.Count), cancel));
        }

        Checkpoints.Pass("catalogue.parts");
        var json = JsonSerializer.SerializeToUtf8Bytes(new CatalogueDirectory(RepositoryFormat.Version, written, parts), RepositoryJson.Default.CatalogueDirectory);
        await repository.Store.PutAsync(Keys.Catalogue(written, attempt), new ReadOnlySequence<byte>(json), cancel);
    }

    /// <summary>The key of the newest catalogue; null where there is none.</summary>
    public async Task<string?> FindNewestAsync(CancellationToken cancel)
    {
        string? newest = null;
        await foreach (var stored in repository.Store.ListAsync(Keys.CataloguePrefix, cancel))
        {
            newest = Keys.TryParseCatalogue(stored.Key) is { IsDirectory: true } ? stored.Key : newest;
        }

        return newest;
    }

    private async Task<CataloguePart> StoreAsync(PartWriter part, string key, CancellationToken cancel)
    {
        await repository.Store.PutAsync(key, new ReadOnlySequence<byte>(part.Compress()), cancel);
        return new CataloguePart(key, part.First, part.Last, part.Count);
    }

    private async IAsyncEnumerable<(List<ManifestKey> Revisions, byte[]? Copy)> WithCopiesAsync(
        Predicate<ManifestKey>? which, [EnumeratorCancellation] CancellationToken cancel)
    {
        var copies = new CatalogueCursor(repository);
        await foreach (var revisions in repository.RevisionsAsync(Keys.PointsPrefix, cancel))
        {
            if (which?.Invoke(revisions[0]) ?? true)
            {
                var highest = PointRepository.Highest(revisions);
                var copy = await copies.FindAsync(highest.Key, cancel);
                yield return (revisions, copy?.Length == highest.Length ? copy : null);
            }
        }
    }

    private async Task<CataloguedPoint?> ReadAsync(
        List<ManifestKey> revisions, byte[]? copy, Action<RbdBackupException>? onDamaged, CancellationToken cancel)
    {
        try
        {
            if (copy is not null)
            {
                return new CataloguedPoint(ManifestCodec.Read(copy, PointRepository.Highest(revisions).Key), copy, true);
            }
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt)
        {
            // The copy is damaged; the manifest itself need not be.
        }

        return await repository.ReadStoredAsync(revisions, onDamaged, cancel) is { } read ? new CataloguedPoint(read.Manifest, read.Stored, false) : null;
    }

    /// <summary>Collects the copies of a part.</summary>
    private sealed class PartWriter
    {
        private readonly ArrayBufferWriter<byte> _lines = new();

        public string First { get; private set; } = "";

        public string Last { get; private set; } = "";

        public int Count { get; private set; }

        public int Length => _lines.WrittenCount;

        /// <summary>Adds a line with a manifest's key and bytes. A manifest that is not one line itself has no copy.</summary>
        public void Add(CataloguedPoint point)
        {
            if (point.Stored.Length <= MaxCopy && point.Stored.IndexOf((byte)'\n') == point.Stored.Length - 1)
            {
                Last = point.Point.Key;
                First = Count++ == 0 ? Last : First;
                _lines.Write(Encoding.ASCII.GetBytes($"{Last} "));
                _lines.Write(point.Stored);
            }
        }

        public byte[] Compress()
        {
            using var output = new MemoryStream();
            using (var lines = new GZipStream(output, CompressionLevel.Fastest))
            {
                lines.Write(_lines.WrittenSpan);
            }

            return output.ToArray();
        }
    }
}
