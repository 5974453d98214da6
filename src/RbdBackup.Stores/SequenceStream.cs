using System.Buffers;
using System.Security.Cryptography;

namespace RbdBackup.Stores;

/// <summary>A sequence of buffers as a stream that can be read and wound back, without a copy of it.</summary>
internal sealed class SequenceStream(ReadOnlySequence<byte> content) : Stream
{
    private SequencePosition _at = content.Start;
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => content.Length;

    public override long Position
    {
        get => _position;
        set
        {
            _at = content.GetPosition(value);
            _position = value;
        }
    }

    /// <summary>The MD5 of a sequence, which services check an upload with.</summary>
    public static byte[] Md5(ReadOnlySequence<byte> content)
    {
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        foreach (var part in content)
        {
            md5.AppendData(part.Span);
        }
        return md5.GetHashAndReset();
    }

    public override int Read(Span<byte> buffer)
    {
        var rest = content.Slice(_at);
        var part = rest.Slice(0, Math.Min(rest.Length, buffer.Length));
        part.CopyTo(buffer);
        _at = part.End;
        _position += part.Length;
        return (int)part.Length;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Read(buffer.Span));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => Length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
