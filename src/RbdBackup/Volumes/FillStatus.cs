using RbdBackup.Core.Model;

namespace RbdBackup.Volumes;

/// <summary>What a tenant reads on a volume that asks to be filled. Pure.</summary>
internal static class FillStatus
{
    /// <summary>As long as Cinder lets a value be.</summary>
    private const int MaxLength = 255;

    private const string DoneWord = "done: ", RefusedWord = "refused: ", FailedWord = "failed: ";

    /// <summary>It is whole.</summary>
    public static string Done(PointId point, DateTimeOffset created) => $"{DoneWord}point {point} of {created.UtcDateTime:yyyy-MM-ddTHH:mm:ss}Z";

    /// <summary>It is being filled.</summary>
    public static string Filling(PointId point) => $"filling: from point {point}";

    /// <summary>It was not touched.</summary>
    public static string Refused(string why) => Cut(RefusedWord + why);

    /// <summary>It was given up, and is empty again.</summary>
    public static string Failed(string why) => Cut(FailedWord + why);

    /// <summary>True where nothing more is done: whoever removes the status asks anew.</summary>
    public static bool IsFinal(string? status) =>
        status is not null && new[] { DoneWord, RefusedWord, FailedWord }.Any(w => status.StartsWith(w, StringComparison.Ordinal));

    private static string Cut(string text) => text.Length <= MaxLength ? text : text[..(MaxLength - 1)] + "…";
}
