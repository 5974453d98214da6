using System.Net;
using System.Text;
using System.Text.Json;
using RbdBackup.Core.Model;

namespace RbdBackup.Http.Keystone;

/// <summary>Keystone v3: a password or an application credential for a token, and the catalogue that comes with it.</summary>
public sealed class KeystoneIdentity
{
    private readonly KeystoneOptions _options;

    /// <summary>Takes the options as they are.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> for a URL that is none of Keystone v3.</exception>
    public KeystoneIdentity(KeystoneOptions options)
    {
        _options = options;
        var url = options.AuthUrl.TrimEnd('/');
        if (!(Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0))
        {
            // Not shown: what stands before an '@' may be a secret.
            throw new RbdBackupException(ErrorKind.Usage, "Keystone's address is no URL like https://host:port/v3.", "Correct [keystone] auth_url; secrets have options of their own.");
        }
        if (url.EndsWith("/v2.0", StringComparison.Ordinal))
        {
            throw new RbdBackupException(ErrorKind.Usage, $"{url} is Keystone's second interface; only the third is supported.", "Write /v3 for /v2.0.");
        }
        Address = url.EndsWith("/v3", StringComparison.Ordinal) ? url : url + "/v3";
    }

    /// <summary>Keystone's URL, up to <c>/v3</c>.</summary>
    public string Address { get; }

    /// <summary>True where a login that failed like this may succeed a moment later; everything else is an error that a person must see.</summary>
    public static bool IsTransient(AnswerException e) => e.Status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests
        or (>= HttpStatusCode.InternalServerError and not (HttpStatusCode.NotImplemented or HttpStatusCode.InsufficientStorage));

    /// <summary>Logs in afresh.</summary>
    /// <exception cref="AnswerException">Keystone could not answer now.</exception>
    /// <exception cref="RbdBackupException">It refused us, or is no Keystone.</exception>
    public async Task<KeystoneLogin> LogInAsync(ServiceHttp http, CancellationToken cancel)
    {
        // Of known length: the little server that Keystone often runs in knows no chunks.
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(KeystoneRequest.Of(_options).ToJsonString()));
        content.Headers.ContentType = new("application/json");
        try
        {
            var request = http.Request($"{Address}/auth/tokens");
            using var answer = await ServiceHttp.SendAsync(request, HttpMethod.Post, content, HttpCompletionOption.ResponseContentRead, cancel);
            var token = (await ServiceHttp.ReadAsync(answer, KeystoneJson.Default.KeystoneAnswer)).Token;
            return answer.Headers.TryGetFirst("X-Subject-Token", out var secret)
                ? new KeystoneLogin(secret, token, new ServiceCatalog(token.Catalog, _options, Address))
                : throw NotKeystone("an answer without a token", null);
        }
        catch (AnswerException e) when (e.Status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden || IsUnknownCredential(e))
        {
            throw new RbdBackupException(
                ErrorKind.Permission,
                $"Keystone at {Address} refused {KeystoneRequest.Describe(_options)}: {(int)e.Status}.",
                "Check the names, their domains, the project and the password or secret; an application credential may have expired or been deleted.", e);
        }
        catch (AnswerException e) when (!IsTransient(e))
        {
            throw NotKeystone($"{(int)e.Status}", e);
        }
        catch (JsonException e)
        {
            throw NotKeystone("what is no JSON of Keystone's", e);
        }
    }

    /// <summary>An application credential that is not there is no wrong login to Keystone, but something that it could not find.</summary>
    private static bool IsUnknownCredential(AnswerException e) =>
        e is { Status: HttpStatusCode.NotFound, Detail: { } detail } && detail.StartsWith("Could not find Application Credential", StringComparison.OrdinalIgnoreCase);

    private RbdBackupException NotKeystone(string got, Exception? inner) =>
        new(ErrorKind.NotFound, $"There is no Keystone v3 at {Address}: it answered with {got}.", "Correct [keystone] auth_url.", inner);
}
