using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace RbdBackup.Core.Repository;

/// <summary>A set of keys that takes some thirty bytes for each, however long it is: of each, 128 bits of its SHA-256.</summary>
internal sealed class KeySet
{
    private readonly HashSet<UInt128> _keys = [];

    /// <summary>How many keys it has.</summary>
    public int Count => _keys.Count;

    /// <summary>Adds a key; false where it is there already.</summary>
    public bool Add(string key) => _keys.Add(Hash(key));

    /// <summary>Adds keys.</summary>
    public void UnionWith(IEnumerable<string> keys)
    {
        foreach (var key in keys)
        {
            Add(key);
        }
    }

    /// <summary>True where the key is there.</summary>
    public bool Contains(string key) => _keys.Contains(Hash(key));

    private static UInt128 Hash(string key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
