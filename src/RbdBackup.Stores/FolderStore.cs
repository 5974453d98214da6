using System.Buffers;
using Microsoft.Win32.SafeHandles;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores;

/// <summary>
/// A store in a folder: each object is a file under its key. An object is written under a temporary name, synced, linked to its name without ever
/// replacing one, and the folders on its way are synced. A key can't be a file and a folder of other keys at once.
/// </summary>
public sealed class FolderStore : IObjectStore, IStoreProbe
{
    /// <summary>Its '+' keeps it out of the alphabet of keys, and so out of every listing.</summary>
    private const string TemporaryFolder = ".tmp+";

    private const UnixFileMode FileMode640 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
    private const UnixFileMode FolderMode750 = FileMode640 | UnixFileMode.UserExecute | UnixFileMode.GroupExecute;

    /// <summary>A temporary file lives for the seconds of one upload; this leaves room for clocks that differ between machines.</summary>
    private static readonly TimeSpan TemporaryLifetime = TimeSpan.FromDays(1);

    private readonly string _root;
    private readonly string _temporary;
    private readonly TimeProvider _clock;
    private readonly FolderErrors _errors;
    private readonly FolderListing _listing;
    private readonly Lazy<bool> _temporaryMade;

    /// <summary>A store in the folder <paramref name="path"/>, which is looked at only when it is used.</summary>
    /// <param name="path">An absolute path.</param>
    /// <param name="clock">Tells which left-over temporary files are old.</param>
    public FolderStore(string path, TimeProvider clock)
    {
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        _temporary = Path.Combine(_root, TemporaryFolder);
        _clock = clock;
        _errors = new FolderErrors(_root);
        _listing = new FolderListing(_root, _errors);
        _temporaryMade = new Lazy<bool>(MakeTemporaryFolder, LazyThreadSafetyMode.PublicationOnly);
    }

    /// <inheritdoc/>
    public string Url => $"file://{_root}";

    /// <inheritdoc/>
    /// <remarks>Also removes what uploads of dead processes left behind. A folder that can only be read passes: a restore needs no more.</remarks>
    public Task CheckAsync(CancellationToken cancel) => Task.Run(
        () =>
        {
            if (!Directory.Exists(_root))
            {
                throw _errors.RootMissing();
            }
            _listing.CheckRoot();
            SweepTemporaries();
        },
        cancel);

    /// <inheritdoc/>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Refused"/> where the key is taken by other bytes.</exception>
    public Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        StoreKey.Check(key);
        // An fsync takes what the disk takes: on the thread pool, a few of them would hold up everybody else.
        return Task.Factory.StartNew(() => Put(key, content, cancel), cancel, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public async Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel)
    {
        using var file = Open(key);
        var length = RandomAccess.GetLength(file);
        if (length > maxLength)
        {
            throw new RbdBackupException(ErrorKind.Corrupt, $"{PathOf(key)} has {length} bytes, where at most {maxLength} are expected.");
        }
        var content = new byte[length];
        await ReadAsync(file, key, 0, content, cancel);
        return content;
    }

    /// <inheritdoc/>
    public async Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        using var file = Open(key);
        await ReadAsync(file, key, offset, destination, cancel);
    }

    /// <inheritdoc/>
    public Task<StoredObject?> StatAsync(string key, CancellationToken cancel)
    {
        StoreKey.Check(key);
        return Task.Run(() => Directory.Exists(_root) ? _listing.Stat(key) : throw _errors.RootMissing(), cancel);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel)
    {
        StoreKey.CheckPrefix(prefix);
        return _listing.Walk(prefix).Select(found =>
        {
            cancel.ThrowIfCancellationRequested();
            return found;
        }).ToAsyncEnumerable();
    }

    /// <inheritdoc/>
    /// <remarks>Durable when it returns: a manifest that came back after a crash, its data gone, would be a point that can't be restored.</remarks>
    public Task DeleteAsync(string key, CancellationToken cancel)
    {
        StoreKey.Check(key);
        return Task.Run(() => Delete(key), cancel);
    }

    /// <inheritdoc/>
    public async Task<bool?> PutIfAbsentAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        try
        {
            await PutAsync(key, content, cancel);
            return true;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.Refused)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public Task<bool?> RefusesWrongChecksumAsync(string key, CancellationToken cancel) => Task.FromResult<bool?>(null);

    /// <inheritdoc/>
    public Task<StoreVersioning> GetVersioningAsync(CancellationToken cancel) => Task.FromResult(StoreVersioning.None);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private string PathOf(string key) => Path.Combine(_root, key);

    private void Put(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        var path = PathOf(key);
        try
        {
            _ = _temporaryMade.Value;
            var temporary = Path.Combine(_temporary, Guid.CreateVersion7().ToString("N"));
            try
            {
                Write(temporary, content, cancel);
                Publish(temporary, path, content);
            }
            finally
            {
                File.Delete(temporary);
            }
            SyncFoldersOf(path);
        }
        catch (DirectoryNotFoundException e) when (Directory.Exists(_root) && !Directory.Exists(_temporary))
        {
            throw new RbdBackupException(
                ErrorKind.NotFound, $"Writing {path} failed: {_temporary} was there before and is gone.", $"Check that {_root} is still mounted.", e);
        }
        catch (Exception e) when (FolderErrors.IsFileSystem(e))
        {
            throw _errors.Translate(e, "Writing", path);
        }
    }

    /// <summary>Made once: where it is gone later, so is the mount, and nothing is written below it.</summary>
    private bool MakeTemporaryFolder()
    {
        if (!Directory.Exists(_root))
        {
            throw _errors.RootMissing();
        }
        Directory.CreateDirectory(_temporary, FolderMode750);
        return true;
    }

    private static void Write(string temporary, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        using var file = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite,
            BufferSize = 0,
            UnixCreateMode = FileMode640,
        });
        FileContent.Write(file.SafeFileHandle, content, cancel);
        file.Flush(flushToDisk: true);
        cancel.ThrowIfCancellationRequested();
    }

    /// <summary>Gives the finished file its name. A deletion may remove the folder, empty for a moment, under us: then it is made again.</summary>
    private void Publish(string temporary, string path, ReadOnlySequence<byte> content)
    {
        int errno;
        var tries = 0;
        do
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, FolderMode750);
            errno = Posix.Link(temporary, path);
        }
        while (errno == Posix.ENOENT && ++tries < 100);

        switch (errno)
        {
            case 0:
            case Posix.EEXIST when SameBytes(path, content):
                return;
            case Posix.EEXIST:
                throw new RbdBackupException(ErrorKind.Refused, $"{path} is there already, with other bytes; no key is written twice.");
            case Posix.EPERM or Posix.ENOTSUP or Posix.EMLINK:
                throw new RbdBackupException(
                    ErrorKind.Unsupported, $"The file system of {_root} has no hard links.", "Use a local file system, NFS or an object store.");
            default:
                throw Posix.Error(errno, path);
        }
    }

    private static bool SameBytes(string path, ReadOnlySequence<byte> content)
    {
        using var file = OpenToRead(path);
        if (RandomAccess.GetLength(file) != content.Length)
        {
            return false;
        }
        var buffer = new byte[64 * 1024];
        for (long offset = 0; offset < content.Length;)
        {
            var read = RandomAccess.Read(file, buffer, offset);
            if (read == 0 || !new SequenceReader<byte>(content.Slice(offset, read)).IsNext(buffer.AsSpan(0, read)))
            {
                return false;
            }
            offset += read;
        }
        return true;
    }

    /// <summary>All folders up to the root, as another writer may have made one and not have synced it yet. One that did not change costs next to nothing.</summary>
    private void SyncFoldersOf(string path)
    {
        for (var folder = Path.GetDirectoryName(path)!; folder.Length >= _root.Length; folder = Path.GetDirectoryName(folder)!)
        {
            Posix.SyncFolder(folder);
        }
    }

    private void Delete(string key)
    {
        var path = PathOf(key);
        try
        {
            File.Delete(path);
            var folder = Path.GetDirectoryName(path)!;

            // Another deletion may take the folder, empty, at any moment: then it is the one above that changed.
            while (folder.Length > _root.Length && (TryDeleteEmpty(folder) || !Posix.TrySyncFolder(folder)))
            {
                folder = Path.GetDirectoryName(folder)!;
            }
            if (folder.Length == _root.Length)
            {
                Posix.SyncFolder(folder);
            }
        }
        catch (DirectoryNotFoundException) when (Directory.Exists(_root))
        {
            // The object's folder is not there either.
        }
        catch (Exception e) when (FolderErrors.IsFileSystem(e))
        {
            throw _errors.Translate(e, "Deleting", path);
        }
    }

    private static bool TryDeleteEmpty(string folder)
    {
        try
        {
            Directory.Delete(folder);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private SafeFileHandle Open(string key)
    {
        StoreKey.Check(key);
        try
        {
            return OpenToRead(PathOf(key));
        }
        catch (UnauthorizedAccessException e) when (Directory.Exists(PathOf(key)))
        {
            throw new RbdBackupException(ErrorKind.NotFound, $"Reading {PathOf(key)} failed: it is a folder, not an object.", null, e);
        }
        catch (Exception e) when (FolderErrors.IsFileSystem(e))
        {
            throw _errors.Translate(e, "Reading", PathOf(key));
        }
    }

    private static SafeFileHandle OpenToRead(string path) => File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);

    private async Task ReadAsync(SafeFileHandle file, string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        try
        {
            while (destination.Length > 0)
            {
                var read = await RandomAccess.ReadAsync(file, destination, offset, cancel);
                if (read == 0)
                {
                    throw new RbdBackupException(
                        ErrorKind.Corrupt, $"{PathOf(key)} ends at byte {offset}, where {destination.Length} more are expected.");
                }
                offset += read;
                destination = destination[read..];
            }
        }
        catch (Exception e) when (FolderErrors.IsFileSystem(e))
        {
            throw _errors.Translate(e, "Reading", PathOf(key));
        }
    }

    private void SweepTemporaries()
    {
        var oldest = _clock.GetUtcNow() - TemporaryLifetime;
        try
        {
            foreach (var left in new DirectoryInfo(_temporary).EnumerateFiles().Where(file => file.LastWriteTimeUtc < oldest))
            {
                left.Delete();
            }
        }
        catch (Exception e) when (FolderErrors.IsFileSystem(e))
        {
            // Not there yet, or not ours to write: room that is lost, and no reason to fail a restore.
        }
    }
}
