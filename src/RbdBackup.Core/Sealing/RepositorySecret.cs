using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Sealing;

/// <summary>
/// What a person or a vault keeps to open a sealed repository: 32 random bytes, or a passphrase. It opens a key slot, and never leaves the process.
/// </summary>
public sealed class RepositorySecret
{
    /// <summary>The least length of a passphrase.</summary>
    public const int MinPassphrase = 12;

    /// <summary>The rounds of PBKDF2 that new slots have.</summary>
    public const int Iterations = 600_000;

    /// <summary>The most rounds that a slot may ask for: whoever writes to the store could ask for years.</summary>
    public const int MaxIterations = 10_000_000;

    private readonly byte[] _bytes;

    private RepositorySecret(string kind, byte[] bytes) => (Kind, _bytes) = (kind, bytes);

    /// <summary>The kind of slots that it opens: <see cref="KeySlot.RawKind"/> or <see cref="KeySlot.PassphraseKind"/>.</summary>
    public string Kind { get; }

    /// <summary>Reads a secret: 64 hexadecimal digits or the base64 of 32 bytes are a key, anything else a passphrase. White space around it does not count.</summary>
    /// <param name="text">The secret.</param>
    /// <param name="source">Where it came from, for the error; never the secret itself.</param>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: it is too short.</exception>
    public static RepositorySecret Parse(string text, string source)
    {
        text = text.Trim();
        if (text.Length == 2 * Aead.KeyBytes && text.All(char.IsAsciiHexDigit))
        {
            return new RepositorySecret(KeySlot.RawKind, Convert.FromHexString(text));
        }

        var raw = new byte[Aead.KeyBytes];
        if (text.Length == Base64.GetMaxEncodedToUtf8Length(raw.Length) && Convert.TryFromBase64String(text, raw, out var length) && length == raw.Length)
        {
            return new RepositorySecret(KeySlot.RawKind, raw);
        }

        return text.Length >= MinPassphrase
            ? new RepositorySecret(KeySlot.PassphraseKind, Encoding.UTF8.GetBytes(text))
            : throw new RbdBackupException(
                ErrorKind.Usage, $"{source} gives no key: it has fewer than {MinPassphrase} characters",
                "Use 32 random bytes ('openssl rand -hex 32'), or a long passphrase.");
    }

    /// <summary>The key that a slot's master key is wrapped under; null where the slot is of another kind.</summary>
    internal byte[]? KeyFor(KeySlot slot) =>
        slot.Kind != Kind ? null
        : Kind == KeySlot.RawKind ? Aead.Derive(_bytes, slot.SaltBytes, Aead.Bind("rbdbackup slot"))
        : slot.Iterations is >= 1 and <= MaxIterations ? Rfc2898DeriveBytes.Pbkdf2(_bytes, slot.SaltBytes, slot.Iterations, HashAlgorithmName.SHA256, Aead.KeyBytes)
        : null;
}
