using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Servers;

/// <summary>The server points of a repository: each a manifest of its own, written once.</summary>
public sealed class ServerPointStore(PointRepository repository)
{
    private const string Name = "server_point";

    /// <summary>Stores a server point: the commit. Its disks' points are there already.</summary>
    public Task PutAsync(ServerPoint point, CancellationToken cancel)
    {
        point = repository.Seal is null ? point : point with { RequiredFeatures = [.. point.RequiredFeatures.Union([RepositoryFormat.Sealed])] };
        var json = DigestedJson.Write(Name, JsonSerializer.SerializeToUtf8Bytes(point, RepositoryJson.Default.ServerPoint));
        return repository.Store.PutAsync(point.Key, new ReadOnlySequence<byte>(json), cancel);
    }

    /// <summary>Reads a server point's manifest as it is stored.</summary>
    /// <exception cref="RbdBackupException">Corrupt; Unsupported for a newer format.</exception>
    public static ServerPoint Read(byte[] stored, string key)
    {
        var point = RepositoryFormat.ReadJson(DigestedJson.Open(Name, stored, key), RepositoryJson.Default.ServerPoint, key);
        return point.Key == key ? point : throw RepositoryFormat.Corrupt(key, "holds the manifest of another server point");
    }

    /// <summary>The keys of all server points, server by server, oldest first.</summary>
    /// <param name="server">Only this server's; null: all.</param>
    /// <param name="cancel">Ends the listing.</param>
    public IAsyncEnumerable<string> ListAsync(string? server, CancellationToken cancel) =>
        repository.Store.ListAsync(server is null ? Keys.ServersPrefix : Keys.ServerPrefix(server), cancel)
            .Select(s => s.Key).Where(k => Keys.TryParseServerPoint(k) is not null);

    /// <summary>All server points, server by server, oldest first; whether they are whole is not looked at.</summary>
    /// <param name="server">Only this server's; null: all.</param>
    /// <param name="onDamaged">Told of each that can't be read; it is passed over.</param>
    /// <param name="cancel">Ends the listing.</param>
    public async IAsyncEnumerable<ServerPoint> ReadAllAsync(string? server, Action<RbdBackupException>? onDamaged, [EnumeratorCancellation] CancellationToken cancel)
    {
        var read = ListAsync(server, cancel).SelectParallelAsync(PointRepository.ReadsInFlight, (key, token) => TryReadAsync(key, onDamaged, token), cancel);
        await foreach (var point in read.WithCancellation(cancel))
        {
            if (point is not null)
            {
                yield return point;
            }
        }
    }

    /// <summary>The server point with this id; null where there is none.</summary>
    /// <exception cref="RbdBackupException">Corrupt: it can't be read.</exception>
    public async Task<ServerPoint?> FindAsync(PointId id, CancellationToken cancel)
    {
        await foreach (var key in ListAsync(null, cancel))
        {
            if (Keys.TryParseServerPoint(key)!.Value.Point == id && await TryReadAsync(key, e => throw e, cancel) is { } point)
            {
                return point;
            }
        }

        return null;
    }

    /// <summary>True where the manifest of a disk's server point is there.</summary>
    public async Task<bool> HasAsync(ServerPointReference of, CancellationToken cancel) =>
        await repository.Store.ListAsync(Keys.ServerPointPrefix(of.Server, of.Id), cancel).AnyAsync(cancel);

    /// <summary>Removes the manifest of a server point; its disks' points stay, and each is a point for itself.</summary>
    public async Task RemoveAsync(ServerPointReference of, CancellationToken cancel)
    {
        foreach (var stored in await repository.Store.ListAsync(Keys.ServerPointPrefix(of.Server, of.Id), cancel).ToListAsync(cancel))
        {
            await repository.Store.DeleteAsync(stored.Key, cancel);
        }
    }

    /// <summary>The points that there are, by their keys: what says which server points are whole.</summary>
    public Task<HashSet<PointId>> ReadPresentAsync(CancellationToken cancel) =>
        repository.ListAsync(Keys.PointsPrefix, cancel).Select(k => k.Point).ToHashSetAsync(cancellationToken: cancel).AsTask();

    private async Task<ServerPoint?> TryReadAsync(string key, Action<RbdBackupException>? onDamaged, CancellationToken cancel)
    {
        try
        {
            return Read(await repository.Store.GetAsync(key, RepositoryFormat.MaxJson, cancel), key);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            // Removed since it was listed.
            return null;
        }
        catch (RbdBackupException e) when (e.Kind is ErrorKind.Corrupt or ErrorKind.Unsupported && onDamaged is not null)
        {
            onDamaged(e);
            return null;
        }
    }
}
