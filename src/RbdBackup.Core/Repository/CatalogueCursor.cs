using System.IO.Compression;
using System.Text;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>
/// Goes through the newest catalogue once, in the order of keys; it is opened when the first key is asked for. What of it can't be read has no copies. Memory: a part.
/// </summary>
internal sealed class CatalogueCursor(PointRepository repository)
{
    private const int MaxPart = Catalogue.PartBytes + (2 * Catalogue.MaxCopy);

    private readonly byte[] _plain = new byte[MaxPart];
    private Queue<CataloguePart>? _parts;
    private int _at;
    private int _end;

    /// <summary>The copy of a manifest, not proven yet; null where there is none. Each call asks for a key behind the last one's.</summary>
    public async ValueTask<byte[]?> FindAsync(string key, CancellationToken cancel)
    {
        var wanted = Encoding.ASCII.GetBytes(key);
        _parts ??= new Queue<CataloguePart>(await TryAsync(() => ReadDirectoryAsync(cancel)) ?? []);
        while (true)
        {
            var copy = Seek(wanted);
            if (copy is not null || _at < _end)
            {
                return copy;
            }

            while (_parts.TryPeek(out var passed) && string.CompareOrdinal(passed.Last, key) < 0)
            {
                _parts.Dequeue();
            }

            if (!_parts.TryPeek(out var next) || string.CompareOrdinal(next.First, key) > 0)
            {
                return null;
            }

            _parts.Dequeue();
            (_at, _end) = (0, await TryAsync(() => ReadPartAsync(next.Key, cancel)));
        }
    }

    /// <summary>Goes on to the line of a key, or to the first one behind it, which then is not passed.</summary>
    private byte[]? Seek(ReadOnlySpan<byte> wanted)
    {
        while (_at < _end)
        {
            var rest = _plain.AsSpan(_at.._end);
            var line = rest[..(rest.IndexOf((byte)'\n') is var end and >= 0 ? end + 1 : rest.Length)];
            var blank = Math.Max(0, line.IndexOf((byte)' '));
            var order = line[..blank].SequenceCompareTo(wanted);
            if (order >= 0)
            {
                return order == 0 ? line[(blank + 1)..].ToArray() : null;
            }

            _at += line.Length;
        }

        return null;
    }

    private async Task<IEnumerable<CataloguePart>?> ReadDirectoryAsync(CancellationToken cancel)
    {
        if (await new Catalogue(repository).FindNewestAsync(cancel) is not { } key)
        {
            return null;
        }

        var json = await repository.Store.GetAsync(key, RepositoryFormat.MaxJson, cancel);
        var directory = RepositoryFormat.ReadJson(json, RepositoryJson.Default.CatalogueDirectory, key);
        RepositoryFormat.Require(directory.Format, [], key);
        return directory.Parts.Where(p => Keys.TryParseCatalogue(p.Key) is { IsDirectory: false });
    }

    /// <summary>Brings a part into memory, and says how long it is. One that is longer than any can be is cut off.</summary>
    private async Task<int> ReadPartAsync(string key, CancellationToken cancel)
    {
        var stored = await repository.Store.GetAsync(key, MaxPart, cancel);
        await using var lines = new GZipStream(new MemoryStream(stored), CompressionMode.Decompress);
        return await lines.ReadAtLeastAsync(_plain, _plain.Length, throwOnEndOfStream: false, cancel);
    }

    private static async Task<T?> TryAsync<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (InvalidDataException)
        {
            return default;
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.NotFound or ErrorKind.Permission or ErrorKind.Unsupported)
        {
            return default;
        }
    }
}
