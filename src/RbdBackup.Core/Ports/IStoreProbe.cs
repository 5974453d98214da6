using System.Buffers;

namespace RbdBackup.Core.Ports;

/// <summary>What a store keeps of objects that were deleted or overwritten.</summary>
public enum StoreVersioning
{
    /// <summary>Nothing: a deleted object takes no room.</summary>
    None,

    /// <summary>Every version, and a marker for each deletion.</summary>
    Enabled,

    /// <summary>The versions from before it was suspended.</summary>
    Suspended,

    /// <summary>The store did not say, or may not be asked.</summary>
    Unknown,
}

/// <summary>
/// What some stores can be asked beyond <see cref="IObjectStore"/>, for 'repo init' and 'repo check'. A store that is none is probed by what all stores do.
/// No member tries again by itself.
/// </summary>
public interface IStoreProbe
{
    /// <summary>Stores an object only where there is none, by whatever condition the store has.</summary>
    /// <returns>True: stored; false: there is one; null: the store has no such condition.</returns>
    Task<bool?> PutIfAbsentAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel);

    /// <summary>Sends an object with a checksum that is wrong.</summary>
    /// <returns>True where the store refused it; null where it takes no checksums.</returns>
    Task<bool?> RefusesWrongChecksumAsync(string key, CancellationToken cancel);

    /// <summary>What it keeps of deleted objects.</summary>
    Task<StoreVersioning> GetVersioningAsync(CancellationToken cancel);
}
