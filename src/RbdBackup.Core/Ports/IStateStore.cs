using RbdBackup.Core.Model;

namespace RbdBackup.Core.Ports;

/// <summary>
/// Small named objects in RADOS, in a pool and namespace of our own: each holds records (key, value) and can be leased by one holder at a time.
/// Leases are cls_lock locks with a duration; they survive nobody's death by more than that.
/// </summary>
public interface IStateStore : IAsyncDisposable
{
    /// <summary>Takes the lease of an object, making it where it is missing, and renews it until it is disposed.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/>: somebody else has it; the message names the holder.</exception>
    Task<ILease> AcquireAsync(string name, CancellationToken cancel);

    /// <summary>Who holds an object's lease (host and process); null where nobody does.</summary>
    Task<string?> GetHolderAsync(string name, CancellationToken cancel);

    /// <summary>The names of all objects.</summary>
    IAsyncEnumerable<string> ListAsync(CancellationToken cancel);

    /// <summary>All records of an object; empty where there is none.</summary>
    Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(string name, CancellationToken cancel);

    /// <summary>Sets a record without a lease: only for what others may ask of the holder (a cancel flag).</summary>
    Task WriteUnleasedAsync(string name, string key, byte[] value, CancellationToken cancel);
}

/// <summary>The right to work on what an object stands for.</summary>
public interface ILease : IAsyncDisposable
{
    /// <summary>The object's name.</summary>
    string Name { get; }

    /// <summary>Cancelled as soon as the lease can't be proven held: by monotonic time since the last successful renewal was sent.</summary>
    CancellationToken Lost { get; }

    /// <summary>Sets records and removes others in one operation that asserts the lease.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/>: the lease is lost.</exception>
    Task UpdateAsync(IReadOnlyDictionary<string, byte[]> set, IReadOnlyCollection<string> remove, CancellationToken cancel);

    /// <summary>Removes the object, with all its records and this lease, which is lost then, in one operation that asserts the lease.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/>: the lease is lost.</exception>
    Task DeleteAsync(CancellationToken cancel);
}
