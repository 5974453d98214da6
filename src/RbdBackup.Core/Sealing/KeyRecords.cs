using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>A key slot: the repository's master key, wrapped for one secret. Public but for the wrapped key; all of it but <see cref="Created"/> is authenticated.</summary>
public sealed record KeySlot
{
    /// <summary>A slot for 32 random bytes.</summary>
    public const string RawKind = "raw";

    /// <summary>A slot for a passphrase.</summary>
    public const string PassphraseKind = "passphrase";

    private const int SaltLength = 32;

    /// <summary>The version of the format.</summary>
    public required int Format { get; init; }

    /// <summary>The repository.</summary>
    public required Guid Repository { get; init; }

    /// <summary>Its id: 8 hexadecimal digits.</summary>
    public required string Slot { get; init; }

    /// <summary>What opens it; readers pass over kinds that they do not know.</summary>
    public required string Kind { get; init; }

    /// <summary>What a person calls it.</summary>
    public required string Label { get; init; }

    /// <summary>The generation of the master key in it, from 1.</summary>
    public required int Generation { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The rounds of PBKDF2; 0 where the kind needs none.</summary>
    public int Iterations { get; init; }

    /// <summary>The salt, 32 bytes in hexadecimal.</summary>
    public required string Salt { get; init; }

    /// <summary>The master key, wrapped; in hexadecimal.</summary>
    public required string Wrapped { get; init; }

    internal byte[] SaltBytes => KeysJson.Bytes(Salt);

    /// <summary>A slot for a secret.</summary>
    internal static KeySlot Make(Guid repository, string id, string label, int generation, byte[] master, RepositorySecret secret, DateTimeOffset now)
    {
        var slot = new KeySlot
        {
            Format = RepositoryFormat.Version,
            Repository = repository,
            Slot = id,
            Kind = secret.Kind,
            Label = label,
            Generation = generation,
            Created = now,
            Iterations = secret.Kind == PassphraseKind ? RepositorySecret.Iterations : 0,
            Salt = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SaltLength)),
            Wrapped = "",
        };
        return slot with { Wrapped = Convert.ToHexStringLower(Aead.Wrap(secret.KeyFor(slot)!, master, slot.Bound())) };
    }

    /// <summary>The master key; null where the secret does not open it.</summary>
    internal byte[]? TryOpen(RepositorySecret secret) => secret.KeyFor(this) is { } key ? Aead.TryUnwrap(key, KeysJson.Bytes(Wrapped), Bound()) : null;

    private byte[] Bound() => Aead.Bind(
        "rbdbackup slot", Aead.Field(Repository), Aead.Field((uint)Generation), Encoding.UTF8.GetBytes($"{Slot}\0{Kind}\0{Iterations}\0{Label}"));
}

/// <summary>A master key of the generation before, wrapped under a newer one: so that what it sealed is still read after a rotation.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Repository">The repository.</param>
/// <param name="Generation">The generation of the wrapped key; the one above it is wrapped under is one more.</param>
/// <param name="Wrapped">The key, wrapped; in hexadecimal.</param>
internal sealed record OlderMaster(int Format, Guid Repository, int Generation, string Wrapped)
{
    public static OlderMaster Make(Guid repository, int generation, byte[] older, byte[] newer) =>
        new(RepositoryFormat.Version, repository, generation, Convert.ToHexStringLower(Aead.Wrap(Under(repository, newer), older, Bound(repository, generation))));

    public byte[]? TryOpen(byte[] newer) => Aead.TryUnwrap(Under(Repository, newer), KeysJson.Bytes(Wrapped), Bound(Repository, Generation));

    private static byte[] Under(Guid repository, byte[] newer) => Aead.Derive(newer, Aead.Field(repository), Aead.Bind("rbdbackup older master"));

    private static byte[] Bound(Guid repository, int generation) => Aead.Bind("rbdbackup older master", Aead.Field(repository), Aead.Field((uint)generation));
}

/// <summary>The key of an attempt, under which the data keys of the segments are wrapped that it wrote. A rotation wraps it anew; no data moves.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Kind">What opens it: <see cref="MasterKind"/>. Room for a worker that may write and not read, which would wrap it for a public key.</param>
/// <param name="Generation">The generation of the master key that it is wrapped under.</param>
/// <param name="Wrapped">The key, wrapped; in hexadecimal.</param>
internal sealed record AttemptWrap(int Format, string Kind, int Generation, string Wrapped)
{
    public const string MasterKind = "master";

    public static AttemptWrap Make(Guid repository, PointId point, AttemptId attempt, byte[] key, int generation, byte[] master) => new(
        RepositoryFormat.Version, MasterKind, generation,
        Convert.ToHexStringLower(Aead.Wrap(Under(repository, point, attempt, master), key, Bound(repository, point, attempt, generation))));

    public byte[]? TryOpen(Guid repository, PointId point, AttemptId attempt, byte[] master) => Kind != MasterKind
        ? null
        : Aead.TryUnwrap(Under(repository, point, attempt, master), KeysJson.Bytes(Wrapped), Bound(repository, point, attempt, Generation));

    private static byte[] Under(Guid repository, PointId point, AttemptId attempt, byte[] master) =>
        Aead.Derive(master, Aead.Field(repository), Aead.Bind("rbdbackup attempt", Aead.Field(point), Aead.Field(attempt)));

    private static byte[] Bound(Guid repository, PointId point, AttemptId attempt, int generation) =>
        Aead.Bind("rbdbackup attempt", Aead.Field(repository), Aead.Field(point), Aead.Field(attempt), Aead.Field((uint)generation));
}

/// <summary>The JSON of key slots and wraps.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectRequiredConstructorParameters = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(KeySlot))]
[JsonSerializable(typeof(OlderMaster))]
[JsonSerializable(typeof(AttemptWrap))]
internal sealed partial class KeysJson : JsonSerializerContext
{
    /// <summary>The bytes that hexadecimal digits name; none where they are no such digits, which then opens nothing.</summary>
    public static byte[] Bytes(string hex)
    {
        try
        {
            return Convert.FromHexString(hex);
        }
        catch (FormatException)
        {
            return [];
        }
    }
}
