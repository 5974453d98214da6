using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores;

/// <summary>Chooses a store by its URL.</summary>
public static class StoreFactory
{
    private const string Allowed = "Use file:///path, s3://bucket/prefix or swift://container/prefix.";

    /// <summary>Opens the store at <paramref name="url"/> without touching it; <see cref="IObjectStore.CheckAsync"/> does.</summary>
    /// <param name="url"><c>file:///path</c> (with %20 for a space), <c>s3://bucket[/prefix]</c> or <c>swift://container[/prefix]</c>.</param>
    /// <param name="options">How to reach it.</param>
    /// <param name="logger">Told of requests that are tried again.</param>
    /// <param name="clock">The clock; null for the system's.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> for a URL or an option that can't be used.</exception>
    public static IObjectStore Open(string url, StoreOptions options, ILogger? logger = null, TimeProvider? clock = null)
    {
        clock ??= TimeProvider.System;
        var colon = url.IndexOf("://", StringComparison.Ordinal);
        var scheme = colon < 0 ? "" : url[..colon];
        return scheme switch
        {
            "file" => new FolderStore(FolderOf(url), clock),
            "s3" => OpenS3(url, url[(colon + 3)..], options.S3, logger ?? NullLogger.Instance, clock),
            "swift" => OpenSwift(url, url[(colon + 3)..], options.Swift, logger ?? NullLogger.Instance, clock),
            "" when url.StartsWith('/') => throw new RbdBackupException(
                ErrorKind.Usage, $"'{url}' is a path, where a store's URL is expected.", $"Write file://{url}"),
            _ => throw Wrong(url, scheme.Length == 0 ? "It has no scheme." : $"There is no kind of store '{scheme}'."),
        };
    }

    private static string FolderOf(string url) =>
        url.StartsWith("file:///", StringComparison.Ordinal) && Uri.TryCreate(url, UriKind.Absolute, out var uri)
            && uri is { Query: "", Fragment: "" }
            ? uri.LocalPath
            : throw Wrong(url, "A folder's URL is 'file://' and an absolute path, with %3F for '?' and %23 for '#'.");

    private static S3Store OpenS3(string url, string place, S3Options options, ILogger logger, TimeProvider clock)
    {
        var (bucket, prefix) = PlaceOf(url, place, "bucket");
        return new S3Store(new S3Connection(options), bucket, prefix, options, logger, clock);
    }

    private static SwiftStore OpenSwift(string url, string place, SwiftOptions options, ILogger logger, TimeProvider clock)
    {
        var (container, prefix) = PlaceOf(url, place, "container");
        CheckUrl(options.AuthUrl, "address to log in at");
        CheckUrl(options.AccountUrl, "account's URL");
        ISwiftAuthentication authentication = options switch
        {
            { AuthUrl: { } auth, User: { } user, Key: { } key } => new SwiftOwnAuthentication(auth, user, key, options.AccountUrl),
            { AuthUrl: not null } => throw new RbdBackupException(
                ErrorKind.Usage, "Swift's own authentication needs a URL, a user and a key, and not all three are given.", "Give all three, or use Keystone."),
            { Keystone: { } keystone } => new SwiftKeystone(keystone, options.AccountUrl),
            _ => throw new RbdBackupException(
                ErrorKind.Usage, "There is nothing to log in to Swift with.", "Set [keystone] auth_type, or [store] swift_auth_url for Swift's own authentication."),
        };
        return new SwiftStore(container, prefix, options, authentication, logger, clock);
    }

    private static void CheckUrl(string? url, string what)
    {
        if (url is not null && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0))
        {
            throw new RbdBackupException(ErrorKind.Usage, $"Swift's {what} is no URL like https://host:port/path.", "Correct it; secrets have options of their own.");
        }
    }

    /// <summary>The bucket or container, and the prefix below it.</summary>
    private static (string Root, string Prefix) PlaceOf(string url, string place, string kind)
    {
        var slash = place.IndexOf('/', StringComparison.Ordinal);
        var root = slash < 0 ? place : place[..slash];
        var prefix = slash < 0 ? "" : place[slash..].Trim('/');
        if (root.Length is 0 or > 255 || root.AsSpan().ContainsAny("@:?#"))
        {
            // Not shown: what stands before an '@' may be a secret.
            throw Wrong(
                $"{url[..url.IndexOf(':', StringComparison.Ordinal)]}://…",
                $"A {kind}'s name is missing, or has a character that none can have; endpoint and keys belong into the configuration.");
        }
        if (prefix.Length > 0 && !StoreKey.IsKey(prefix))
        {
            throw Wrong(url, "Its prefix may have parts of [A-Za-z0-9._~%-] with single '/' between.");
        }
        return (root, prefix);
    }

    private static RbdBackupException Wrong(string url, string why) => new(ErrorKind.Usage, $"The store's URL '{url}' can't be used. {why}", Allowed);
}
