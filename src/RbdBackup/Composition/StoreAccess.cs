using RbdBackup.Configuration;
using RbdBackup.Core.Repository;
using RbdBackup.Stores;

namespace RbdBackup.Composition;

/// <summary>How to reach the stores, as the settings say it.</summary>
internal static class StoreAccess
{
    /// <summary>The options of every kind of store.</summary>
    public static StoreOptions Of(RbdBackupSettings settings) => new() { S3 = S3(settings.Store), Swift = Swift(settings.Store, settings.Keystone) };

    private static S3Options S3(StoreSettings store) => new()
    {
        Endpoint = store.S3EndpointUrl,
        Region = store.S3Region,
        PathStyle = store.S3AddressingStyle switch { "path" => true, "virtual" => false, _ => null },
        CaFile = store.S3CaFile,
        AccessKey = store.S3AccessKey,
        SecretKey = store.S3SecretKey,
        StorageClass = store.S3StorageClass,
        HasStorageClass = IsSegment,
        Encryption = store.S3Sse,
        EncryptionKeyId = store.S3SseKmsKeyId,
    };

    private static SwiftOptions Swift(StoreSettings store, KeystoneSettings keystone) => new()
    {
        Keystone = keystone.AuthType is null ? null : CloudAccess.Keystone(keystone),
        AuthUrl = store.SwiftAuthUrl,
        User = store.SwiftUsername,
        Key = store.SwiftPassword,
        AccountUrl = store.SwiftEndpointOverride,
        CaFile = store.SwiftCaFile ?? keystone.Cafile,
    };

    /// <summary>Segments alone are long; what else is stored is small, and read by every listing and collection.</summary>
    private static bool IsSegment(string key) => Keys.PointOfData(key) is not null && Keys.TryParseSegment(key) is not null;
}
