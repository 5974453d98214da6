namespace RbdBackup.Core.Model;

/// <summary>What kind of failure an error is; each kind has one exit code (<see cref="RbdBackupException.ExitCode"/>).</summary>
public enum ErrorKind
{
    /// <summary>A defect of this program, or an answer that nobody expected. Exit code 1.</summary>
    Unexpected = 1,

    /// <summary>A wrong option, argument or configuration value. Exit code 2.</summary>
    Usage = 2,

    /// <summary>The image, snapshot, point, bucket or pool that was named does not exist. Exit code 3.</summary>
    NotFound = 3,

    /// <summary>Somebody else holds the image: a lease, a lock, a watcher. Exit code 4.</summary>
    Busy = 4,

    /// <summary>Ceph, the store or the broker refused the user. Exit code 5.</summary>
    Permission = 5,

    /// <summary>The cluster, the store or the broker did not answer, or a deadline passed; trying again may help. Exit code 6.</summary>
    Unavailable = 6,

    /// <summary>Stored or received bytes are not what they should be. Exit code 7.</summary>
    Corrupt = 7,

    /// <summary>A newer format, or an image in a state that can't be handled (migration, mirror that is not primary). Exit code 8.</summary>
    Unsupported = 8,

    /// <summary>No room: the disk, the pool or the quota is full. Exit code 9.</summary>
    NoSpace = 9,

    /// <summary>What was asked would lose something, and was not confirmed. Exit code 10.</summary>
    Refused = 10,

    /// <summary>Of several images, some failed. Exit code 11.</summary>
    Partial = 11,

    /// <summary>The proof that an increment rests on broke while it was made (snapshot or image gone); the attempt was dropped. Exit code 12.</summary>
    Dropped = 12,
}

/// <summary>An error that a person can act on: it says what failed, on what, why, and what to do.</summary>
public class RbdBackupException : Exception
{
    /// <summary>Makes an error of a kind. <paramref name="message"/> names what failed, on what and why; <paramref name="remedy"/> what to do.</summary>
    public RbdBackupException(ErrorKind kind, string message, string? remedy = null, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        Remedy = remedy ?? Usual(kind);
    }

    /// <summary>The kind of failure.</summary>
    public ErrorKind Kind { get; }

    /// <summary>What a person can do about it, in a sentence; where nobody said, what usually helps with errors of its kind; null where nothing usually does.</summary>
    public string? Remedy { get; }

    /// <summary>The process's exit code for this error.</summary>
    public int ExitCode => (int)Kind;

    private static string? Usual(ErrorKind kind) => kind switch
    {
        ErrorKind.NotFound => "Check the name, and that the pool, image or bucket is there.",
        ErrorKind.Busy => "Wait until the other one is done, then run it again.",
        ErrorKind.Permission => "Check the user, its keyring or keys, and its capabilities (docs/operations.md).",
        ErrorKind.Unavailable => "Check that it is up and can be reached, then run it again.",
        ErrorKind.Corrupt => "Nothing was changed. 'rbdbackup list' shows other points; 'backup --full' makes a new one.",
        ErrorKind.NoSpace => "Make room, then run it again: it goes on where it stopped.",
        _ => null,
    };

    /// <summary>True where trying the same again later may succeed.</summary>
    public virtual bool IsTransient => Kind is ErrorKind.Unavailable or ErrorKind.Busy;
}
