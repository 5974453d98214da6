namespace RbdBackup.Configuration;

/// <summary>A limit on bytes a second.</summary>
/// <param name="BytesPerSecond">The limit; 0 for none.</param>
public readonly record struct ByteRate(long BytesPerSecond)
{
    /// <summary>True where there is no limit.</summary>
    public bool IsUnlimited => BytesPerSecond == 0;
}
