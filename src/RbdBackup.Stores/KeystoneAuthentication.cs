using System.Net;
using System.Text;
using Flurl.Http;
using RbdBackup.Core.Model;

namespace RbdBackup.Stores;

/// <summary>Keystone v3: a password or an application credential for a token, and Swift's place from the catalogue that comes with it.</summary>
internal sealed class KeystoneAuthentication : ISwiftAuthentication
{
    private readonly KeystoneOptions _options;
    private readonly string? _accountUrl;
    private readonly string _url;

    /// <summary>Takes the options as they are.</summary>
    /// <param name="options">Who we are.</param>
    /// <param name="accountUrl">The account's URL, where the catalogue's is not to be taken.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> for a URL that is none of Keystone v3.</exception>
    public KeystoneAuthentication(KeystoneOptions options, string? accountUrl)
    {
        _options = options;
        _accountUrl = accountUrl;
        var url = options.AuthUrl.TrimEnd('/');
        if (url.EndsWith("/v2.0", StringComparison.Ordinal))
        {
            throw new RbdBackupException(ErrorKind.Usage, $"{url} is Keystone's second interface; only the third is supported.", "Write /v3 for /v2.0.");
        }
        _url = url.EndsWith("/v3", StringComparison.Ordinal) ? url : url + "/v3";
    }

    /// <inheritdoc/>
    public string Address => _url;

    /// <inheritdoc/>
    public async Task<SwiftLogin> LogInAsync(SwiftHttp http, CancellationToken cancel)
    {
        using var content = new StringContent(KeystoneRequest.Of(_options).ToJsonString(), Encoding.UTF8, "application/json");
        try
        {
            var request = http.Request($"{_url}/auth/tokens");
            using var answer = await SwiftHttp.SendAsync(request, HttpMethod.Post, content, HttpCompletionOption.ResponseContentRead, cancel);
            var token = (await answer.GetJsonAsync<KeystoneAnswer>()).Token;
            var account = _accountUrl ?? token.FindEndpoint("object-store", _options.RegionName, _options.Interfaces, _url);
            return answer.Headers.TryGetFirst("X-Subject-Token", out var secret)
                ? new SwiftLogin(account, secret, token.ExpiresAt - token.IssuedAt)
                : throw NotKeystone("an answer without a token", null);
        }
        catch (SwiftAnswerException e) when (e.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            throw new RbdBackupException(
                ErrorKind.Permission,
                $"Keystone at {_url} refused {KeystoneRequest.Describe(_options)}: {(int)e.Status}.",
                "Check the names, their domains, the project and the password or secret; an application credential may have expired.", e);
        }
        catch (SwiftAnswerException e) when (!SwiftErrors.IsTransient(e))
        {
            throw NotKeystone($"{(int)e.Status}", e);
        }
        catch (FlurlParsingException e)
        {
            // Its own text would repeat the answer.
            throw NotKeystone("what is no JSON of Keystone's", e.InnerException);
        }
    }

    private RbdBackupException NotKeystone(string got, Exception? inner) =>
        new(ErrorKind.NotFound, $"There is no Keystone v3 at {_url}: it answered with {got}.", "Correct [keystone] auth_url.", inner);
}
