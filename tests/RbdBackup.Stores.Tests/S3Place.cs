using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>The real S3 service that the tests run against: devstack/mini's radosgw.</summary>
internal static class S3Place
{
    public static string Endpoint => Setting("RBDBACKUP_TEST_S3_URL");

    public static string Bucket => Setting("RBDBACKUP_TEST_S3_BUCKET");

    public static string SecretKey => Setting("AWS_SECRET_ACCESS_KEY");

    public static S3Options Options(string? endpoint = null, string? secret = null, string? caFile = null, int retries = 2) => new()
    {
        Endpoint = endpoint ?? Endpoint,
        AccessKey = Setting("AWS_ACCESS_KEY_ID"),
        SecretKey = secret ?? SecretKey,
        CaFile = caFile,
        Retries = retries,
        RetryDelay = TimeSpan.FromMilliseconds(5),
    };

    public static IObjectStore Open(S3Options options, string prefix = "", string? bucket = null) =>
        StoreFactory.Open($"s3://{bucket ?? Bucket}/{prefix}", new StoreOptions { S3 = options });

    private static string Setting(string name) => Environment.GetEnvironmentVariable(name)
        ?? throw new InvalidOperationException($"{name} is not set: run devstack/mini/mini up rgw, then eval \"$(devstack/mini/mini env)\".");
}
