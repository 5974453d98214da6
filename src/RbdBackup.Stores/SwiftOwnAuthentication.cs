using System.Globalization;
using System.Net;
using Flurl.Http;
using RbdBackup.Core.Model;
using RbdBackup.Http;

namespace RbdBackup.Stores;

/// <summary>Swift's own authentication (v1, "TempAuth"), which radosgw and a Swift without Keystone have.</summary>
/// <param name="url">Such as <c>https://rgw.example.org/auth/v1.0</c>.</param>
/// <param name="user">Such as <c>account:user</c>.</param>
/// <param name="key">Its key.</param>
/// <param name="accountUrl">The account's URL, where the one that the login gives is not to be taken.</param>
internal sealed class SwiftOwnAuthentication(string url, string user, string key, string? accountUrl) : ISwiftAuthentication
{
    /// <inheritdoc/>
    public string Address => url;

    /// <inheritdoc/>
    public async Task<SwiftLogin> LogInAsync(ServiceHttp http, CancellationToken cancel)
    {
        var request = http.Request(url).WithHeader("X-Auth-User", user).WithHeader("X-Auth-Key", key);
        try
        {
            using var answer = await ServiceHttp.SendAsync(request, HttpMethod.Get, null, HttpCompletionOption.ResponseContentRead, cancel);
            if (answer.Headers.TryGetFirst("X-Storage-Url", out var account) && answer.Headers.TryGetFirst("X-Auth-Token", out var token))
            {
                return new SwiftLogin(accountUrl ?? account, token, LifeOf(answer));
            }
        }
        catch (AnswerException e) when (e.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            throw new RbdBackupException(
                ErrorKind.Permission, $"Swift: {url} refused the user '{user}': {(int)e.Status}.", "Check the user's name, as account:user, and its key.", e);
        }
        catch (AnswerException e) when (!SwiftErrors.IsTransient(e))
        {
            throw NoLogin($"{(int)e.Status}", e);
        }
        throw NoLogin("no account and token", null);
    }

    private RbdBackupException NoLogin(string got, Exception? inner) => new(
        ErrorKind.NotFound, $"Swift: {url} is no place to log in: it answered with {got}.", "Give the whole URL, such as https://swift.example.org/auth/v1.0.", inner);

    private static TimeSpan? LifeOf(IFlurlResponse answer) =>
        answer.Headers.TryGetFirst("X-Auth-Token-Expires", out var text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(seconds)
            : null;
}
