#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>The object storage that holds the repository.</summary>
[Section("store", "The object storage that holds the repository.")]
public sealed record StoreSettings
{
    [Option(null, "Where the repository is: s3://bucket/prefix, swift://container/prefix or file:///folder. The command line's --store comes before it.")]
    public required string? Url { get; init; }

    [Option(null, "The S3 service's address, such as https://rgw.example.org. Without it, Amazon's for the region.")]
    public required string? S3EndpointUrl { get; init; }

    [Option("us-east-1", "The S3 region. radosgw takes any.")]
    public required string S3Region { get; init; }

    [Option(
        "auto",
        "How a bucket is addressed: in the path, in the host's name (virtual), or in the path where s3_endpoint_url is set (auto).",
        Choices = ["auto", "path", "virtual"])]
    public required string S3AddressingStyle { get; init; }

    [Option(null, "The S3 access key. Without it, the AWS_* variables and ~/.aws/credentials are tried, as every S3 tool does.")]
    public required string? S3AccessKey { get; init; }

    [Option(null, "The S3 secret key. Better in a file of its own: s3_secret_key_file.", Secret = true)]
    public required string? S3SecretKey { get; init; }

    [Option(null, "A file whose first line is the S3 secret key; mode 0640 or less.")]
    public required string? S3SecretKeyFile { get; init; }

    [Option(null, "The certificates (PEM) that the S3 service's certificate is checked against. Without it, the system's.")]
    public required string? S3CaFile { get; init; }

    [Option(null, "The S3 storage class of segments, such as STANDARD_IA. All else is small, is read often, and stays in the standard class.")]
    public required string? S3StorageClass { get; init; }

    [Option(null, "Has the S3 service encrypt what it stores, with keys that it has (AES256) or that its key service has (aws:kms).", Choices = ["AES256", "aws:kms"])]
    public required string? S3Sse { get; init; }

    [Option(null, "The key's id for s3_sse = aws:kms. Without it, the service's own.")]
    public required string? S3SseKmsKeyId { get; init; }

    [Option(
        null,
        "Where Swift's own authentication (v1) is, such as https://rgw.example.org/auth/v1.0. Without it, swift:// logs in with Keystone: section [keystone].")]
    public required string? SwiftAuthUrl { get; init; }

    [Option(null, "The user of Swift's own authentication, as account:user.")]
    public required string? SwiftUsername { get; init; }

    [Option(null, "Its key. Better in a file of its own: swift_password_file.", Secret = true)]
    public required string? SwiftPassword { get; init; }

    [Option(null, "A file whose first line is the key of Swift's own authentication; mode 0640 or less.")]
    public required string? SwiftPasswordFile { get; init; }

    [Option(null, "The account's address, such as https://swift.example.org/v1/AUTH_1234, in the place of the one that a login gives.")]
    public required string? SwiftEndpointOverride { get; init; }

    [Option(null, "The certificates (PEM) that Swift's certificate is checked against. Without it, those of [keystone] cafile, or the system's.")]
    public required string? SwiftCaFile { get; init; }
}
