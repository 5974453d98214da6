using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Tests;

internal static class StoredFrames
{
    extension(StoredFrame frame)
    {
        /// <summary>The frame in one piece, as it is in the store.</summary>
        public byte[] ToArray() => [.. frame.Bytes.Pieces.SelectMany(p => p.ToArray())];
    }
}
