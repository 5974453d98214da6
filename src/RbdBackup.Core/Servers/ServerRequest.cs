using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Core.Servers;

/// <summary>A wish for a server point, in RADOS beside the server's lease until it is answered or given up.</summary>
public sealed record ServerRequest
{
    /// <summary>What it is about; equal for duplicates and replays.</summary>
    public required DedupKey DedupKey { get; init; }

    /// <summary>The server's id.</summary>
    public required string Server { get; init; }

    /// <summary>The policy that asks.</summary>
    public required string Policy { get; init; }

    /// <summary>Who asked.</summary>
    public required AskedBy AskedBy { get; init; }

    /// <summary>When it was asked.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The point that is being made for it, or was; null before the first try.</summary>
    public PointId? Point { get; init; }

    /// <summary>How often it failed.</summary>
    public int Tries { get; init; }

    /// <summary>Not before then; null: now.</summary>
    public DateTimeOffset? NextTry { get; init; }

    /// <summary>Why the last try failed; null where none did.</summary>
    public string? LastError { get; init; }

    /// <summary>The record's name in the server's state object.</summary>
    [JsonIgnore]
    public string Key => StateKeys.Request(DedupKey.ToString());

    /// <summary>True where its time has come.</summary>
    public bool IsDue(DateTimeOffset now) => NextTry is null || NextTry <= now;

    /// <summary>The same after a try that failed; without a next try where it is to be given up.</summary>
    public ServerRequest Failed(string error, RetryRule retries, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(retries);
        return this with { Tries = Tries + 1, LastError = error, NextTry = retries.Next(Tries + 1, Created, now) };
    }

    /// <summary>The bytes to store.</summary>
    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, ServerRequestJson.Default.ServerRequest);

    /// <summary>The requests among a server's records, oldest first; what can't be read is left alone.</summary>
    public static IReadOnlyList<ServerRequest> Waiting(IReadOnlyDictionary<string, byte[]> records) =>
        [.. records.Where(r => StateKeys.IsRequest(r.Key)).Select(r => TryRead(r.Value)).OfType<ServerRequest>().OrderBy(r => r.Created)];

    private static ServerRequest? TryRead(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, ServerRequestJson.Default.ServerRequest);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>The JSON of requests for server points.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ServerRequest))]
public sealed partial class ServerRequestJson : JsonSerializerContext;
