using System.IO.Enumeration;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores;

/// <summary>Walks a folder tree in the ordinal order of whole keys, holding only the names of the folders on the way down.</summary>
internal sealed class FolderListing(string root, FolderErrors errors)
{
    private static readonly EnumerationOptions Everything = new() { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false };

    /// <summary>The objects whose key starts with <paramref name="prefix"/>. What can't be read is an error, never a gap.</summary>
    public IEnumerable<StoredObject> Walk(string prefix)
    {
        var slash = prefix.LastIndexOf('/') + 1;
        var way = new Stack<(string Folder, IEnumerator<string> Names)>();
        way.Push((prefix[..slash], Read(prefix[..slash], prefix[slash..])));
        while (way.TryPeek(out var at))
        {
            if (!at.Names.MoveNext())
            {
                way.Pop();
                continue;
            }
            var key = at.Folder + at.Names.Current;
            if (key.EndsWith('/'))
            {
                way.Push((key, Read(key, "")));
            }
            else if (Stat(key) is { } found)
            {
                yield return found;
            }
        }
    }

    /// <summary>Fails where the root can't be listed. What lies below it is not looked at: a folder of all points' data takes long.</summary>
    public void CheckRoot() => Read("", "").Dispose();

    /// <summary>What the file system knows of one object; null where there is none.</summary>
    public StoredObject? Stat(string key)
    {
        var path = Path.Combine(root, key);
        try
        {
            var file = new FileInfo(path);
            return file.Exists ? new StoredObject(key, file.Length, file.LastWriteTimeUtc) : null;
        }
        catch (Exception e) when (FolderErrors.IsFileSystem(e))
        {
            throw errors.Translate(e, "Looking at", path);
        }
    }

    /// <summary>
    /// The names in one folder that can be part of a key, sorted; folders end in '/', so that their keys stand where they belong: 'a-b' is before 'a/b'.
    /// Other names (lost+found, our own temporary files) are not ours.
    /// </summary>
    private IEnumerator<string> Read(string folder, string start)
    {
        var path = Path.Combine(root, folder);
        try
        {
            var names = new FileSystemEnumerable<string>(
                path, (ref FileSystemEntry entry) => entry.IsDirectory ? $"{entry.FileName}/" : entry.FileName.ToString(), Everything)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) =>
                    entry.FileName.StartsWith(start, StringComparison.Ordinal) && StoreKey.IsPart(entry.FileName),
            }.ToList();
            names.Sort(StringComparer.Ordinal);
            return names.GetEnumerator();
        }
        catch (DirectoryNotFoundException) when (Directory.Exists(root))
        {
            return Enumerable.Empty<string>().GetEnumerator();
        }
        catch (Exception e) when (FolderErrors.IsFileSystem(e))
        {
            throw errors.Translate(e, "Listing", path);
        }
    }
}
