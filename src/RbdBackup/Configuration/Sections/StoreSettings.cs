#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>The object storage that holds the repository.</summary>
[Section("store", "The object storage that holds the repository.")]
public sealed record StoreSettings
{
    [Option(null, "Where the repository is: s3://bucket/prefix or file:///folder. The command line's --store comes before it.")]
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
}
