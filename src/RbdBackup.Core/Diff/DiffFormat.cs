namespace RbdBackup.Core.Diff;

/// <summary>The version of the <c>rbd diff</c> format.</summary>
public enum DiffFormat
{
    /// <summary>What <c>rbd export-diff</c> writes and <c>rbd import-diff</c> reads.</summary>
    V1 = 1,

    /// <summary>What stands inside <c>rbd export --export-format 2</c>: as v1, with a length after each tag, so that unknown records can be skipped.</summary>
    V2 = 2,
}

/// <summary>What a record of a diff says.</summary>
public enum DiffTag
{
    /// <summary>The name of the snapshot that the diff starts from.</summary>
    FromSnap,

    /// <summary>The name of the snapshot that the diff leads to.</summary>
    ToSnap,

    /// <summary>The image's size at the end.</summary>
    Size,

    /// <summary>Bytes that changed.</summary>
    Data,

    /// <summary>A range that became zeros.</summary>
    Zero,

    /// <summary>Nothing follows. A diff without it was cut off.</summary>
    End,
}

/// <summary>A record of a diff, without a data record's bytes.</summary>
/// <param name="Tag">What it says.</param>
/// <param name="Offset">Data and Zero: where in the image, in bytes; else 0.</param>
/// <param name="Length">Data and Zero: how many bytes, more than 0. Size: the image's size in bytes. Else 0.</param>
/// <param name="Name">FromSnap and ToSnap: the snapshot's name; else null.</param>
public readonly record struct DiffRecord(DiffTag Tag, long Offset, long Length, string? Name)
{
    /// <summary>The first byte of the image behind a Data or Zero record.</summary>
    public long RangeEnd => Offset + Length;
}
