using System.Buffers;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using Flurl.Http;
using Microsoft.Extensions.Logging;
using Polly;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Http;

namespace RbdBackup.Stores;

/// <summary>
/// A store in a Swift container. Each request is tried again, bounded, where its failure may pass; a token that the service no longer takes is
/// replaced in mid-job. An upload carries its MD5, counts only with a 201, and is then read back: its length and MD5 from the newest replica.
/// </summary>
public sealed class SwiftStore : IObjectStore
{
    private const string Object = "object, or no such container", Container = "container";

    private readonly ServiceHttp _http;
    private readonly Logins<SwiftLogin> _logins;
    private readonly string _container;
    private readonly string _prefix;
    private readonly SwiftErrors _errors;
    private readonly ResiliencePipeline _pipeline;

    internal SwiftStore(string container, string prefix, SwiftOptions options, ISwiftAuthentication authentication, ILogger logger, TimeProvider clock)
    {
        _http = new ServiceHttp(HttpClients.Create(options.CaFile, "Swift"));
        _logins = new Logins<SwiftLogin>(cancel => authentication.LogInAsync(_http, cancel), clock);
        _container = container;
        _prefix = prefix.Length == 0 ? "" : prefix + '/';
        _errors = new SwiftErrors(container, authentication.Address);
        Url = $"swift://{container}/{prefix}";
        _pipeline = new Retries
        {
            Count = options.Retries,
            Delay = options.RetryDelay,
            Timeout = options.RequestTimeout,
            IsTransient = SwiftErrors.IsTransient,
            AskedFor = e => (e as AnswerException)?.RetryAfter,
        }.Build(Url, logger, clock);
    }

    /// <inheritdoc/>
    public string Url { get; }

    /// <inheritdoc/>
    public Task CheckAsync(CancellationToken cancel) => PageAsync("", null, 1, cancel);

    /// <inheritdoc/>
    public Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        StoreKey.Check(key);
        var md5 = Convert.ToHexStringLower(SequenceStream.Md5(content));
        return CallAsync($"writing the object '{_prefix}{key}'", Container, async token =>
        {
            using var answer = await SendAsync(
                HttpMethod.Put, key, request => request.WithHeader("ETag", md5), () => new StreamContent(new SequenceStream(content)), HttpCompletionOption.ResponseContentRead, token);
            if (answer.StatusCode != (int)HttpStatusCode.Created)
            {
                // A 202 is an object server's 409: something newer is there, and this was not stored.
                throw new AnswerException((HttpStatusCode)answer.StatusCode);
            }
            await ReadBackAsync(key, content.Length, md5, token);
            return true;
        }, cancel);
    }

    /// <inheritdoc/>
    public Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel)
    {
        StoreKey.Check(key);
        return CallAsync($"reading the object '{_prefix}{key}'", Object, async token =>
        {
            using var answer = await SendAsync(HttpMethod.Get, key, null, null, HttpCompletionOption.ResponseHeadersRead, token);
            var length = LengthOf(answer);
            if (length > maxLength)
            {
                throw new RbdBackupException(
                    ErrorKind.Corrupt,
                    $"The object '{_prefix}{key}' in container '{_container}' has {length} bytes, where at most {maxLength} are expected.");
            }
            var content = new byte[length];
            await (await answer.GetStreamAsync()).ReadExactlyAsync(content, token);
            return content;
        }, cancel);
    }

    /// <inheritdoc/>
    public Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        StoreKey.Check(key);
        // A range of no bytes can't be written in HTTP.
        return destination.IsEmpty ? Task.CompletedTask : CallAsync($"reading the object '{_prefix}{key}'", Object, async token =>
        {
            var range = string.Create(CultureInfo.InvariantCulture, $"bytes={offset}-{offset + destination.Length - 1}");
            using var answer = await SendAsync(
                HttpMethod.Get, key, request => request.WithHeader("Range", range), null, HttpCompletionOption.ResponseHeadersRead, token);
            var length = LengthOf(answer);
            if (answer.StatusCode != (int)HttpStatusCode.PartialContent || length != destination.Length)
            {
                throw new RbdBackupException(
                    ErrorKind.Corrupt,
                    $"The object '{_prefix}{key}' in container '{_container}' ends before byte {offset + destination.Length}: {length} of "
                    + $"{destination.Length} bytes came, with status {answer.StatusCode}.");
            }
            await (await answer.GetStreamAsync()).ReadExactlyAsync(destination, token);
            return true;
        }, cancel);
    }

    /// <inheritdoc/>
    public Task<StoredObject?> StatAsync(string key, CancellationToken cancel)
    {
        StoreKey.Check(key);
        return CallAsync<StoredObject?>($"looking at the object '{_prefix}{key}'", Object, async token =>
        {
            try
            {
                using var answer = await SendAsync(HttpMethod.Head, key, null, null, HttpCompletionOption.ResponseHeadersRead, token);
                return new StoredObject(key, LengthOf(answer), answer.ResponseMessage.Content.Headers.LastModified.GetValueOrDefault());
            }
            catch (AnswerException e) when (e.Status == HttpStatusCode.NotFound)
            {
                return null;
            }
        }, cancel);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoredObject> ListAsync(string prefix, CancellationToken cancel)
    {
        StoreKey.CheckPrefix(prefix);
        return ListPagesAsync(prefix, cancel);
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string key, CancellationToken cancel)
    {
        StoreKey.Check(key);
        return CallAsync($"deleting the object '{_prefix}{key}'", Object, async token =>
        {
            try
            {
                (await SendAsync(HttpMethod.Delete, key, null, null, HttpCompletionOption.ResponseContentRead, token)).Dispose();
            }
            catch (AnswerException e) when (e.Status == HttpStatusCode.NotFound)
            {
                // Gone already.
            }
            return true;
        }, cancel);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _logins.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task ReadBackAsync(string key, long length, string md5, CancellationToken cancel)
    {
        try
        {
            using var answer = await SendAsync(
                HttpMethod.Head, key, request => request.WithHeader("X-Newest", "true"), null, HttpCompletionOption.ResponseHeadersRead, cancel);
            var tag = answer.ResponseMessage.Headers.TryGetValues("ETag", out var tags) ? tags.First().Trim('"') : "none";
            if (LengthOf(answer) != length || !string.Equals(tag, md5, StringComparison.OrdinalIgnoreCase))
            {
                throw new SwiftReadBackException($"{LengthOf(answer)} bytes with MD5 {tag}, where {length} with {md5} were sent");
            }
        }
        catch (AnswerException e) when (e.Status == HttpStatusCode.NotFound)
        {
            throw new SwiftReadBackException("it is not there");
        }
    }

    private async IAsyncEnumerable<StoredObject> ListPagesAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        string? marker = null;
        // A page may be short for many reasons; only an empty one is the last.
        while (await PageAsync(prefix, marker, null, cancel) is { Count: > 0 } page)
        {
            foreach (var found in page)
            {
                yield return new StoredObject(found.Name[_prefix.Length..], found.Length, found.Modified);
            }
            if (string.CompareOrdinal(page[^1].Name, marker) <= 0)
            {
                throw new RbdBackupException(
                    ErrorKind.Unexpected, $"Swift: the listing of container '{_container}' does not go on behind '{marker}'.", "See what stands between here and Swift (a cache?).");
            }
            marker = page[^1].Name;
        }
    }

    private Task<IReadOnlyList<Listed>> PageAsync(string prefix, string? marker, int? limit, CancellationToken cancel) =>
        CallAsync($"listing '{_prefix}{prefix}'", Container, async token =>
        {
            using var answer = await SendAsync(
                HttpMethod.Get,
                null,
                request => request.SetQueryParam("format", "json").SetQueryParam("prefix", _prefix + prefix).SetQueryParam("marker", marker).SetQueryParam("limit", limit),
                null,
                HttpCompletionOption.ResponseContentRead,
                token);
            // 204: an empty container.
            return answer.StatusCode == (int)HttpStatusCode.NoContent ? [] : await ServiceHttp.ReadAsync(answer, SwiftJson.Default.IReadOnlyListListed);
        }, cancel);

    /// <summary>Sends one request; where the token is refused, once more with a new one.</summary>
    /// <param name="method">What to do.</param>
    /// <param name="key">With which object; null for the container.</param>
    /// <param name="shape">Adds headers or a query.</param>
    /// <param name="content">Makes the body afresh for each sending.</param>
    /// <param name="completion">Whether the body is read at once.</param>
    /// <param name="cancel">Ends the wait.</param>
    private async Task<IFlurlResponse> SendAsync(
        HttpMethod method, string? key, Func<IFlurlRequest, IFlurlRequest>? shape, Func<HttpContent>? content, HttpCompletionOption completion, CancellationToken cancel)
    {
        var login = await _logins.GetAsync(cancel);
        try
        {
            return await SendAsync(login);
        }
        catch (AnswerException e) when (e.Status == HttpStatusCode.Unauthorized)
        {
            return await SendAsync(await _logins.RenewAsync(login, cancel));
        }

        async Task<IFlurlResponse> SendAsync(SwiftLogin login)
        {
            var request = _http.Request(UrlOf(login, key)).WithHeader("X-Auth-Token", login.Token);
            using var body = content?.Invoke();
            body?.Headers.ContentType = new("application/octet-stream");
            return await ServiceHttp.SendAsync(shape?.Invoke(request) ?? request, method, body, completion, cancel);
        }
    }

    private string UrlOf(SwiftLogin login, string? key)
    {
        var url = $"{login.AccountUrl}/{Uri.EscapeDataString(_container)}";
        return key is null ? url : $"{url}/{(_prefix + key).Replace("%", "%25", StringComparison.Ordinal)}";
    }

    private static long LengthOf(IFlurlResponse answer) =>
        answer.ResponseMessage.Content.Headers.ContentLength ?? throw new HttpRequestException("the answer does not say how long it is");

    private async Task<T> CallAsync<T>(string doing, string missing, Func<CancellationToken, Task<T>> call, CancellationToken cancel)
    {
        try
        {
            return await _pipeline.ExecuteAsync(async token => await call(token), cancel);
        }
        catch (Exception e) when (e is not (RbdBackupException or OperationCanceledException))
        {
            throw _errors.Translate(e, doing, missing);
        }
    }

    /// <summary>An entry of a listing.</summary>
    internal sealed record Listed(
        [property: JsonPropertyName("name")] string Name,
        [property: JsonPropertyName("bytes")] long Length,
        [property: JsonPropertyName("last_modified")] string Time)
    {
        /// <summary>Swift writes UTC without saying so.</summary>
        public DateTimeOffset Modified => DateTimeOffset.Parse(Time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
    }
}

/// <summary>How listings are read.</summary>
[JsonSerializable(typeof(IReadOnlyList<SwiftStore.Listed>))]
internal sealed partial class SwiftJson : JsonSerializerContext;
