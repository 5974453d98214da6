using System.Buffers;
using System.Net;
using System.Runtime.CompilerServices;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging;
using Polly;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Http;

namespace RbdBackup.Stores;

/// <summary>
/// A store in an S3 bucket. Each request is tried again, bounded, where its failure may pass: a key is written once, so a second try of a PUT whose
/// first was cut off stores the same bytes. An upload carries its MD5, and the service refuses what was damaged on the way.
/// </summary>
public sealed partial class S3Store : IObjectStore, IStoreProbe
{
    private readonly S3Connection _connection;
    private readonly AmazonS3Client _client;
    private readonly string _bucket;
    private readonly string _prefix;
    private readonly S3Options _options;
    private readonly bool _encrypted;
    private readonly S3Errors _errors;
    private readonly ResiliencePipeline _pipeline;

    internal S3Store(S3Connection connection, string bucket, string prefix, S3Options options, ILogger logger, TimeProvider clock)
    {
        _connection = connection;
        _client = connection.Client;
        _options = options;
        _bucket = bucket;
        _prefix = prefix.Length == 0 ? "" : prefix + '/';
        var endpoint = options.Endpoint ?? $"Amazon S3 in {options.Region}";
        _encrypted = endpoint.StartsWith("https:", StringComparison.OrdinalIgnoreCase) || options.Endpoint is null;
        _errors = new S3Errors(bucket, endpoint, Asked(options));
        Url = $"s3://{bucket}/{prefix}";
        _pipeline = new Retries
        {
            Count = options.Retries,
            Delay = options.RetryDelay,
            Timeout = options.RequestTimeout,
            IsTransient = S3Errors.IsTransient,
        }.Build(Url, logger, clock);
    }

    /// <inheritdoc/>
    public string Url { get; }

    /// <inheritdoc/>
    public Task CheckAsync(CancellationToken cancel) => PageAsync(new ListObjectsV2Request { BucketName = _bucket, Prefix = _prefix, MaxKeys = 1 }, cancel);

    /// <inheritdoc/>
    public async Task PutAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        StoreKey.Check(key);
        var md5 = SequenceStream.Md5(content);
        var answer = await CallAsync($"writing the object '{_prefix}{key}'", token => _client.PutObjectAsync(
            new PutObjectRequest
            {
                BucketName = _bucket,
                Key = _prefix + key,
                InputStream = new SequenceStream(content),
                MD5Digest = Convert.ToBase64String(md5),
                UseChunkEncoding = false,
                StorageClass = _options.StorageClass is { } kind && _options.HasStorageClass(key) ? S3StorageClass.FindValue(kind) : null,
                ServerSideEncryptionMethod = _options.Encryption is { } method ? ServerSideEncryptionMethod.FindValue(method) : null,
                ServerSideEncryptionKeyManagementServiceKeyId = _options.EncryptionKeyId,
                // Over TLS the MD5 is enough; the SDK insists on signing what goes in the clear.
                DisablePayloadSigning = _encrypted,
            },
            token), cancel);
        if (!MayBeTagOf(answer, md5))
        {
            throw new RbdBackupException(
                ErrorKind.Corrupt,
                $"S3: what the service stored as '{_prefix}{key}' in bucket '{_bucket}' is not what was sent: its ETag is {answer.ETag}.",
                "Check what stands between here and the service (a proxy?), then run the same command again.");
        }
    }

    /// <inheritdoc/>
    public Task<byte[]> GetAsync(string key, int maxLength, CancellationToken cancel)
    {
        StoreKey.Check(key);
        return CallAsync($"reading the object '{_prefix}{key}'", async token =>
        {
            using var answer = await _client.GetObjectAsync(new GetObjectRequest { BucketName = _bucket, Key = _prefix + key }, token);
            if (answer.ContentLength > maxLength)
            {
                throw new RbdBackupException(
                    ErrorKind.Corrupt,
                    $"The object '{_prefix}{key}' in bucket '{_bucket}' has {answer.ContentLength} bytes, where at most {maxLength} are expected.");
            }
            var content = new byte[answer.ContentLength];
            await answer.ResponseStream.ReadExactlyAsync(content, token);
            return content;
        }, cancel);
    }

    /// <inheritdoc/>
    public Task GetRangeAsync(string key, long offset, Memory<byte> destination, CancellationToken cancel)
    {
        StoreKey.Check(key);
        // A range of no bytes can't be written in HTTP.
        return destination.IsEmpty ? Task.CompletedTask : CallAsync($"reading the object '{_prefix}{key}'", async token =>
        {
            using var answer = await _client.GetObjectAsync(
                new GetObjectRequest { BucketName = _bucket, Key = _prefix + key, ByteRange = new ByteRange(offset, offset + destination.Length - 1) }, token);
            if (answer.ContentLength != destination.Length)
            {
                throw new RbdBackupException(
                    ErrorKind.Corrupt,
                    $"The object '{_prefix}{key}' in bucket '{_bucket}' ends before byte {offset + destination.Length}: {answer.ContentLength} of "
                    + $"{destination.Length} bytes came.");
            }
            await answer.ResponseStream.ReadExactlyAsync(destination, token);
            return true;
        }, cancel);
    }

    /// <inheritdoc/>
    public Task<StoredObject?> StatAsync(string key, CancellationToken cancel)
    {
        StoreKey.Check(key);
        return CallAsync<StoredObject?>($"looking at the object '{_prefix}{key}'", async token =>
        {
            try
            {
                var answer = await _client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = _bucket, Key = _prefix + key }, token);
                return new StoredObject(key, answer.ContentLength, answer.LastModified.GetValueOrDefault());
            }
            catch (AmazonServiceException e) when (e.StatusCode == HttpStatusCode.NotFound)
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
        return CallAsync($"deleting the object '{_prefix}{key}'", token => _client.DeleteObjectAsync(_bucket, _prefix + key, token), cancel);
    }

    /// <inheritdoc/>
    public async Task<bool?> PutIfAbsentAsync(string key, ReadOnlySequence<byte> content, CancellationToken cancel)
    {
        StoreKey.Check(key);
        try
        {
            await _client.PutObjectAsync(
                new PutObjectRequest { BucketName = _bucket, Key = _prefix + key, InputStream = new SequenceStream(content), UseChunkEncoding = false, IfNoneMatch = "*" }, cancel);
            return true;
        }
        catch (AmazonServiceException e) when (e.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict)
        {
            return false;
        }
        catch (AmazonServiceException e) when (e.StatusCode is HttpStatusCode.NotImplemented or HttpStatusCode.BadRequest)
        {
            return null;
        }
        catch (Exception e) when (e is not (RbdBackupException or OperationCanceledException))
        {
            throw _errors.Translate(e, $"writing the object '{_prefix}{key}' where there is none");
        }
    }

    /// <inheritdoc/>
    public async Task<bool?> RefusesWrongChecksumAsync(string key, CancellationToken cancel)
    {
        StoreKey.Check(key);
        var content = new ReadOnlySequence<byte>("what was sent"u8.ToArray());
        try
        {
            await _client.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = _bucket,
                    Key = _prefix + key,
                    InputStream = new SequenceStream(content),
                    MD5Digest = Convert.ToBase64String(SequenceStream.Md5(new ReadOnlySequence<byte>("something else"u8.ToArray()))),
                    UseChunkEncoding = false,
                    DisablePayloadSigning = _encrypted,
                },
                cancel);
            return false;
        }
        catch (AmazonServiceException e) when (e.StatusCode == HttpStatusCode.BadRequest)
        {
            return true;
        }
        catch (Exception e) when (e is not (RbdBackupException or OperationCanceledException))
        {
            throw _errors.Translate(e, $"writing the object '{_prefix}{key}' with a wrong checksum");
        }
    }

    /// <inheritdoc/>
    public async Task<StoreVersioning> GetVersioningAsync(CancellationToken cancel)
    {
        try
        {
            var answer = await _client.GetBucketVersioningAsync(new GetBucketVersioningRequest { BucketName = _bucket }, cancel);
            var status = answer.VersioningConfig?.Status;
            return status == VersionStatus.Enabled ? StoreVersioning.Enabled : status == VersionStatus.Suspended ? StoreVersioning.Suspended : StoreVersioning.None;
        }
        catch (AmazonServiceException)
        {
            // Mostly: the user may not ask.
            return StoreVersioning.Unknown;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _connection.Dispose();
        return ValueTask.CompletedTask;
    }

    private async IAsyncEnumerable<StoredObject> ListPagesAsync(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        var request = new ListObjectsV2Request { BucketName = _bucket, Prefix = _prefix + prefix };
        do
        {
            var page = await PageAsync(request, cancel);
            foreach (var found in page.S3Objects ?? [])
            {
                yield return new StoredObject(found.Key[_prefix.Length..], found.Size.GetValueOrDefault(), found.LastModified.GetValueOrDefault());
            }
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (request.ContinuationToken is not null);
    }

    private Task<ListObjectsV2Response> PageAsync(ListObjectsV2Request request, CancellationToken cancel) =>
        CallAsync($"listing '{request.Prefix}'", token => _client.ListObjectsV2Async(request, token), cancel);

    private async Task<T> CallAsync<T>(string doing, Func<CancellationToken, Task<T>> call, CancellationToken cancel)
    {
        try
        {
            return await _pipeline.ExecuteAsync(async token => await call(token), cancel);
        }
        catch (Exception e) when (e is not (RbdBackupException or OperationCanceledException))
        {
            throw _errors.Translate(e, doing);
        }
    }

    private static string? Asked(S3Options options)
    {
        var key = options.EncryptionKeyId is { } id ? $" with key {id}" : "";
        string?[] asked = [options.StorageClass is { } kind ? $"storage class {kind}" : null, options.Encryption is { } method ? $"encryption by {method}{key}" : null];
        return asked.Any(one => one is not null) ? string.Join(" and ", asked.Where(one => one is not null)) : null;
    }

    /// <summary>An ETag is the MD5 of a plain upload, unless the service encrypts it with a key of its own or makes ETags its own way.</summary>
    private static bool MayBeTagOf(PutObjectResponse answer, byte[] md5)
    {
        var tag = answer.ETag?.Trim('"');
        var isMd5 = tag?.Length == 2 * md5.Length && tag.All(char.IsAsciiHexDigit)
            && (answer.ServerSideEncryptionMethod is null || answer.ServerSideEncryptionMethod == ServerSideEncryptionMethod.None);
        return !isMd5 || string.Equals(tag, Convert.ToHexString(md5), StringComparison.OrdinalIgnoreCase);
    }
}
