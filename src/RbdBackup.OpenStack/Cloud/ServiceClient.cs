using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Flurl.Http;
using RbdBackup.Core.Model;
using RbdBackup.Http;
using RbdBackup.Http.Keystone;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>Calls of one service: by our token, in the microversion that both know, tried again as far as that is safe.</summary>
internal sealed class ServiceClient(CloudSession session, ServiceKind kind)
{
    /// <summary>How many of the ids that a listing gave are remembered, to go on behind one that is still there.</summary>
    private const int Remembered = 2000;

    /// <summary>How often a page may end where it was to begin.</summary>
    private const int Patience = 4;

    private volatile ServiceEndpoint? _endpoint;

    /// <summary>The value of a member of the answer; the answer itself where that is null.</summary>
    public async Task<T> GetAsync<T>(JsonTypeInfo<T> type, ServiceCall call, string? member, CancellationToken cancel) =>
        Member(type, await CallAsync(call, answer => ServiceHttp.ReadAsync(answer, EndpointJson.Default.JsonElement), cancel), call, member);

    /// <summary>A call whose answer says nothing.</summary>
    public Task DoAsync(ServiceCall call, CancellationToken cancel) => CallAsync(call, _ => Task.FromResult(true), cancel);

    /// <summary>Whether the service has what a call would show.</summary>
    public async Task<bool> HasAsync(ServiceCall call, CancellationToken cancel)
    {
        try
        {
            await DoAsync(call, cancel);
            return true;
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound && e.InnerException is AnswerException)
        {
            return false;
        }
    }

    /// <summary>Removes something; that it is not there is no failure.</summary>
    public async Task RemoveAsync(ServiceCall call, CancellationToken cancel)
    {
        try
        {
            await DoAsync(call, cancel);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound && e.InnerException is AnswerException)
        {
            // Gone already.
        }
    }

    /// <summary>A listing, page by page: memory holds one of them.</summary>
    /// <param name="type">How a page is read.</param>
    /// <param name="call">The call without limit and marker.</param>
    /// <param name="member">The answer's member that is the list.</param>
    /// <param name="idOf">An entry's id, which marks where the next page begins.</param>
    /// <param name="cancel">Ends the listing.</param>
    public async IAsyncEnumerable<T> ListAsync<T>(
        JsonTypeInfo<IReadOnlyList<T>> type, ServiceCall call, string member, Func<T, string> idOf, [EnumeratorCancellation] CancellationToken cancel)
    {
        List<string> recent = [];
        var again = 0;
        // A page may be short for many reasons; only an empty one is the last.
        while (await PageAsync(type, call, member, recent, cancel) is { Entries.Count: > 0 } page)
        {
            var known = recent.ToHashSet(StringComparer.Ordinal);
            List<string> ids = [.. page.Entries.Select(idOf)];
            // Nova shows a server twice that goes from those that are asked for to those that are there between two pages.
            again = ids[^1] == page.Marker ? again + 1 : 0;
            if (again > Patience)
            {
                throw new RbdBackupException(
                    ErrorKind.Unexpected, $"{kind.Name}: {call.Doing} does not go on behind '{page.Marker}'.", $"Try again; if it stays so, see what {kind.Name} makes of a marker.");
            }
            if (again > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100 << again), cancel);
            }

            recent = [.. recent.Except(ids).Concat(ids).TakeLast(Remembered)];
            foreach (var entry in page.Entries.Where(entry => !known.Contains(idOf(entry))))
            {
                yield return entry;
            }
        }
    }

    /// <summary>The page behind the newest of <paramref name="recent"/> that is still there; where none is and these were all, the first page again.</summary>
    private async Task<Page<T>> PageAsync<T>(JsonTypeInfo<IReadOnlyList<T>> type, ServiceCall call, string member, List<string> recent, CancellationToken cancel)
    {
        for (var at = recent.Count - 1; ; at--)
        {
            var marker = at < 0 ? null : recent[at];
            var query = new Dictionary<string, string?>(call.Query) { ["limit"] = $"{session.PageSize}", ["marker"] = marker };
            try
            {
                return new Page<T>(marker, await GetAsync(type, call with { Query = query }, member, cancel));
            }
            catch (RbdBackupException e) when (
                marker is not null && (at > 0 || recent.Count < Remembered) && e.InnerException is AnswerException { Status: HttpStatusCode.BadRequest or HttpStatusCode.NotFound })
            {
                // Deleted since we were told of it.
            }
        }
    }

    private T Member<T>(JsonTypeInfo<T> type, JsonElement answer, ServiceCall call, string? member)
    {
        try
        {
            return (member is null ? answer : answer.Member(member)) is { } value && value.Deserialize(type) is { } read
                ? read
                : throw new JsonException($"it has no '{member}'");
        }
        catch (JsonException e)
        {
            throw new RbdBackupException(
                ErrorKind.Unexpected, $"{kind.Name}: {call.Doing} failed: the answer is not what {kind.Name} documents: {e.Message}",
                "Check what stands between here and the service (a proxy?).", e);
        }
    }

    private async Task<T> CallAsync<T>(ServiceCall call, Func<IFlurlResponse, Task<T>> read, CancellationToken cancel)
    {
        var login = await session.LogInAsync(null, cancel);
        var errors = new ServiceErrors(kind.Name, UrlOf(login));
        try
        {
            try
            {
                return await TryAsync(call, login, read, cancel);
            }
            catch (AnswerException e) when (e.Status == HttpStatusCode.Unauthorized)
            {
                // Nothing was done. The token was revoked, or ended earlier than it said.
                login = await session.LogInAsync(login, cancel);
                return await TryAsync(call, login, read, cancel);
            }
        }
        catch (Exception e) when (e is not (RbdBackupException or OperationCanceledException))
        {
            throw errors.Translate(e, call.Doing, !call.IsRepeatable, login.Token);
        }
    }

    private async Task<T> TryAsync<T>(ServiceCall call, KeystoneLogin login, Func<IFlurlResponse, Task<T>> read, CancellationToken cancel)
    {
        var endpoint = await FindAsync(login, cancel);
        var (http, pipeline) = call.IsRepeatable ? (session.Http, session.Repeatable) : (session.HttpOnce, session.Once);
        return await pipeline.ExecuteAsync(
            async token =>
            {
                var request = http.Request(endpoint.Url + call.Path).WithHeader("X-Auth-Token", login.Token);
                foreach (var (name, value) in call.Query)
                {
                    request.SetQueryParam(name, value);
                }

                if (endpoint.ApiVersion is { } version)
                {
                    request.WithHeader("OpenStack-API-Version", version);
                }
                using var body = call.Body is null ? null : new StringContent(call.Body.ToJsonString(), Encoding.UTF8, "application/json");
                using var answer = await ServiceHttp.SendAsync(request, call.Method, body, HttpCompletionOption.ResponseContentRead, token);
                return await read(answer);
            },
            cancel);
    }

    /// <summary>Where the service is. It is asked for its versions once, and again where the catalogue changed.</summary>
    private async Task<ServiceEndpoint> FindAsync(KeystoneLogin login, CancellationToken cancel)
    {
        var inCatalogue = UrlOf(login);
        if (_endpoint is { } known && known.InCatalogue == inCatalogue)
        {
            return known;
        }
        var root = ServiceEndpoint.RootOf(kind, inCatalogue);
        var version = kind.Needed is null ? null : await NegotiateAsync(kind.Needed, root, login, cancel);
        var url = kind.ProjectInPath && login.ProjectId is { } project ? $"{root}/{project}" : root;
        return _endpoint = new ServiceEndpoint(inCatalogue, url, version);
    }

    private async Task<string> NegotiateAsync(NeededMicroversions needed, string root, KeystoneLogin login, CancellationToken cancel)
    {
        var document = await session.Repeatable.ExecuteAsync(
            async token =>
            {
                var request = session.Http.Request(root + "/").WithHeader("X-Auth-Token", login.Token);
                using var answer = await ServiceHttp.SendAsync(request, HttpMethod.Get, null, HttpCompletionOption.ResponseContentRead, token);
                return await ServiceHttp.ReadAsync(answer, EndpointJson.Default.VersionDocument);
            },
            cancel);
        return ServiceEndpoint.Negotiate(kind, needed, root, document);
    }

    private string UrlOf(KeystoneLogin login) => login.Catalog.FindEndpoint(kind.Types);

    /// <summary>A page, and the entry that it begins behind.</summary>
    private sealed record Page<T>(string? Marker, IReadOnlyList<T> Entries);
}
