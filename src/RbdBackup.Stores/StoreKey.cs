using System.Buffers;

namespace RbdBackup.Stores;

/// <summary>
/// The keys that every store takes, so that a repository can be copied from any store to any other. A bad key is a defect of the
/// caller, not of the store: it is an <see cref="ArgumentException"/>.
/// </summary>
internal static class StoreKey
{
    /// <summary>S3 ends at 1024 bytes; the rest is left to the prefix.</summary>
    private const int MaxLength = 800;

    /// <summary>The longest name of a file on Linux.</summary>
    private const int MaxPartLength = 255;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~%-");

    /// <summary>True where <paramref name="part"/> may stand between two '/' of a key.</summary>
    public static bool IsPart(ReadOnlySpan<char> part) =>
        part.Length is > 0 and <= MaxPartLength && part is not "." and not ".." && !part.ContainsAnyExcept(Allowed);

    /// <summary>True where <paramref name="key"/> is a whole key.</summary>
    public static bool IsKey(string key) => key.Length is > 0 and <= MaxLength && AreParts(key);

    /// <exception cref="ArgumentException"><paramref name="key"/> is not a key.</exception>
    public static void Check(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!IsKey(key))
        {
            throw new ArgumentException($"'{key}' is no key: parts of [A-Za-z0-9._~%-] with '/' between, none '.' or '..'.", nameof(key));
        }
    }

    /// <summary>Checks the start of keys: nothing, or whole parts and then the start of one.</summary>
    /// <exception cref="ArgumentException"><paramref name="prefix"/> can't start a key.</exception>
    public static void CheckPrefix(string prefix)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        var slash = prefix.LastIndexOf('/');
        var start = prefix.AsSpan(slash + 1);
        if (prefix.Length > MaxLength || (slash >= 0 && !AreParts(prefix.AsSpan(0, slash))) || start.ContainsAnyExcept(Allowed))
        {
            throw new ArgumentException($"No key can start with '{prefix}'.", nameof(prefix));
        }
    }

    private static bool AreParts(ReadOnlySpan<char> key)
    {
        foreach (var part in key.Split('/'))
        {
            if (!IsPart(key[part]))
            {
                return false;
            }
        }
        return true;
    }
}
