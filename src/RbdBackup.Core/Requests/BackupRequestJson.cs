using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Requests;

/// <summary>A <see cref="BackupRequest"/> as JSON (snake_case, UTF-8). What can't be read is an error with its reason, whatever the bytes are.</summary>
public static class BackupRequestJson
{
    /// <summary>The longest request that is read, in bytes; a real one has a few hundred.</summary>
    public const int MaxBytes = 64 * 1024;

    private const int MaxNameLength = 255;

    /// <summary>The request as JSON.</summary>
    public static byte[] Write(BackupRequest request) => JsonSerializer.SerializeToUtf8Bytes(request, BackupRequestContext.Default.BackupRequest);

    /// <summary>Reads a request.</summary>
    /// <exception cref="RbdBackupException">
    /// <see cref="ErrorKind.Corrupt"/>: not a request, the message says why; <see cref="ErrorKind.Unsupported"/>: made by a newer version.
    /// </exception>
    public static BackupRequest Read(ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Length > MaxBytes)
        {
            throw Broken($"it has {utf8.Length} bytes, more than {MaxBytes}");
        }

        try
        {
            // The version first: a newer shape may lack what this one requires, and deserves the better word.
            RefuseOtherVersions(JsonSerializer.Deserialize(utf8.Span, BackupRequestContext.Default.RequestVersion)?.Version);
            var request = JsonSerializer.Deserialize(utf8.Span, BackupRequestContext.Default.BackupRequest) ?? throw Broken("it is null");
            return WhatIsWrong(request) is { } wrong ? throw Broken(wrong) : request;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with half a surrogate pair, or a value of another kind than a converter asks for.
            throw Broken(e.Message, e);
        }
    }

    private static void RefuseOtherVersions(int? version)
    {
        if (version > BackupRequest.CurrentVersion)
        {
            throw new RbdBackupException(
                ErrorKind.Unsupported,
                $"The request has version {version}, newer than {BackupRequest.CurrentVersion}, the newest that this worker reads",
                "Upgrade this worker; the request waits among the dead letters.");
        }

        if (version is null or < 1)
        {
            throw Broken(version is null ? "it has no version" : $"its version is {version}");
        }
    }

    private static string? WhatIsWrong(BackupRequest request) => request switch
    {
        { Id.Version: not 7 } => "its id is no UUIDv7",
        { Snapshot: { } s } when !IsName(s) || s.Contains('@') || s.Contains('/') => "its snapshot is no snapshot name",
        { Policy: { } p } when !IsName(p) => "its policy is no policy name",
        _ => null,
    };

    private static bool IsName(string text) => text.Length is > 0 and <= MaxNameLength && !text.Any(char.IsControl);

    private static RbdBackupException Broken(string reason, Exception? inner = null) =>
        new(ErrorKind.Corrupt, $"Not a backup request: {reason}", inner: inner);
}

internal sealed record RequestVersion(int? Version = null);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 8)]
[JsonSerializable(typeof(BackupRequest))]
[JsonSerializable(typeof(RequestVersion))]
internal sealed partial class BackupRequestContext : JsonSerializerContext;
