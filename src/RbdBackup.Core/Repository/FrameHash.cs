using System.IO.Hashing;
using System.Security.Cryptography;

namespace RbdBackup.Core.Repository;

/// <summary>
/// The hash in a frame's header. Frames are written with XXH128, which costs a fifth of SHA-256; headers of version 1 have a SHA-256, and are read for
/// ever. It finds damage. Against somebody who writes to the store neither would help: who can change a frame can change the hash beside it.
/// </summary>
internal sealed class FrameHash : IDisposable
{
    /// <summary>How manifests name it, and the feature that its readers need.</summary>
    public const string Name = "xxh128";

    /// <summary>The version of headers that are written.</summary>
    public const byte HeaderVersion = 2;

    private readonly IncrementalHash? _sha256;
    private readonly XxHash128 _xxh128 = new();

    /// <summary>The hash of a header's version: 1 or 2.</summary>
    public FrameHash(byte headerVersion) => _sha256 = headerVersion == 1 ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;

    /// <summary>The length in bytes of a header version's hash; 0 for a version that is unknown.</summary>
    public static int Length(byte headerVersion) => headerVersion switch { 1 => 32, HeaderVersion => 16, _ => 0 };

    /// <summary>Hashes more bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_sha256 is null)
        {
            _xxh128.Append(bytes);
        }
        else
        {
            _sha256.AppendData(bytes);
        }
    }

    /// <summary>Writes the hash of all that was appended: 32 bytes, or 16 in XXH128's canonical order (big-endian).</summary>
    public void Finish(Span<byte> destination) => _ = _sha256?.GetHashAndReset(destination) ?? _xxh128.GetHashAndReset(destination);

    /// <inheritdoc/>
    public void Dispose() => _sha256?.Dispose();
}
