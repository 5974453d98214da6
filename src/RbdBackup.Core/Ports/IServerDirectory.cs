namespace RbdBackup.Core.Ports;

/// <summary>What the cloud says of a server that an image is named after.</summary>
public enum OwnerState
{
    /// <summary>It is there.</summary>
    Present,

    /// <summary>It was there, and is deleted: the cloud itself says so. Only this is a proof; that a server is not found may mean the wrong region, or a lost role.</summary>
    Deleted,

    /// <summary>The cloud knows nothing of it.</summary>
    Unknown,
}

/// <summary>What became of a server.</summary>
/// <param name="State">Whether it is there.</param>
/// <param name="Deleted">When it was deleted; null where it was not, or where that is not known.</param>
public sealed record ServerFate(OwnerState State, DateTimeOffset? Deleted = null);

/// <summary>A server that is there.</summary>
/// <param name="Changed">When it last changed; null where that is not known.</param>
/// <param name="Busy">True while something is done to it, or where it can't be asked about.</param>
public sealed record KnownServer(DateTimeOffset? Changed, bool Busy);

/// <summary>The cloud's servers, of every project. Errors are <see cref="Model.RbdBackupException"/>.</summary>
public interface IServerDirectory
{
    /// <summary>All servers.</summary>
    Task<IReadOnlyDictionary<Guid, KnownServer>> ListAsync(CancellationToken cancel);

    /// <summary>What became of a server that is not listed.</summary>
    Task<ServerFate> FindAsync(Guid server, CancellationToken cancel);

    /// <summary>When the last rebuild of a server began that did not fail; null where there was none.</summary>
    Task<DateTimeOffset?> LastRebuildAsync(Guid server, CancellationToken cancel);
}
