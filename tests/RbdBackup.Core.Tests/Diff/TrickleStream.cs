namespace RbdBackup.Core.Tests.Diff;

/// <summary>Gives a few bytes at a time, as a pipe may.</summary>
internal sealed class TrickleStream(byte[] content, int most) : MemoryStream(content, writable: false)
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        base.ReadAsync(buffer[..Math.Min(buffer.Length, most)], cancellationToken);
}
