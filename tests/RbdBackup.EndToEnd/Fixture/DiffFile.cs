namespace RbdBackup.EndToEnd;

/// <summary>A reader of <c>rbd diff v1</c> that shares no line with the one that is tested.</summary>
public static class DiffFile
{
    /// <summary>The bytes of an image after the stream in a file was applied to it.</summary>
    public static byte[] Apply(string file, byte[] image)
    {
        using var reader = new BinaryReader(File.OpenRead(file));
        Assert.Equal("rbd diff v1\n"u8.ToArray(), reader.ReadBytes(12));
        while (true)
        {
            switch ((char)reader.ReadByte())
            {
                case 'f' or 't':
                    reader.ReadBytes(reader.ReadInt32());
                    break;
                case 's':
                    Array.Resize(ref image, (int)reader.ReadInt64());
                    break;
                case 'w':
                    var (at, length) = ((int)reader.ReadInt64(), (int)reader.ReadInt64());
                    reader.BaseStream.ReadExactly(image.AsSpan(at, length));
                    break;
                case 'z':
                    var (from, zeros) = ((int)reader.ReadInt64(), (int)reader.ReadInt64());
                    image.AsSpan(from, zeros).Clear();
                    break;
                case 'e':
                    Assert.Equal(reader.BaseStream.Length, reader.BaseStream.Position);
                    return image;
                case var tag:
                    throw new InvalidDataException($"a record '{tag}' at {reader.BaseStream.Position - 1}");
            }
        }
    }
}
