namespace RbdBackup.Stores;

/// <summary>How to reach the stores, beside what the URL says.</summary>
public sealed class StoreOptions
{
    /// <summary>For <c>s3://</c>.</summary>
    public S3Options S3 { get; init; } = new();

    /// <summary>For <c>swift://</c>.</summary>
    public SwiftOptions Swift { get; init; } = new();
}

/// <summary>How to reach an S3 service. A class, not a record: its text must never show the secret key.</summary>
public sealed class S3Options
{
    /// <summary>The service's URL, such as <c>https://rgw.example.org:8080</c>; null for Amazon's own in <see cref="Region"/>.</summary>
    public string? Endpoint { get; init; }

    /// <summary>The region that requests are signed for; radosgw takes any.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>True for <c>endpoint/bucket/key</c>, false for <c>bucket.endpoint/key</c>; null: the former wherever an endpoint is given.</summary>
    public bool? PathStyle { get; init; }

    /// <summary>A PEM file with the authorities that alone may vouch for the endpoint; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>The access key; null to take both keys from where AWS tools look (AWS_ACCESS_KEY_ID, ~/.aws/credentials, …).</summary>
    public string? AccessKey { get; init; }

    /// <summary>The secret key that belongs to <see cref="AccessKey"/>.</summary>
    public string? SecretKey { get; init; }

    /// <summary>The storage class of what <see cref="HasStorageClass"/> names; null for the bucket's usual one.</summary>
    public string? StorageClass { get; init; }

    /// <summary>True for the keys of objects that go into <see cref="StorageClass"/>; the others are small or must be read at once.</summary>
    public Func<string, bool> HasStorageClass { get; init; } = _ => true;

    /// <summary>How the service encrypts what it stores: <c>AES256</c> or <c>aws:kms</c>; null for as the bucket says.</summary>
    public string? Encryption { get; init; }

    /// <summary>The key's id for <c>aws:kms</c>; null for the service's own.</summary>
    public string? EncryptionKeyId { get; init; }

    /// <summary>How often a request is tried again after a failure that may pass, each time after about twice the pause.</summary>
    public int Retries { get; init; } = 6;

    /// <summary>The first pause between two tries, jittered.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long one try of one request may take, its data included.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromMinutes(5);
}
