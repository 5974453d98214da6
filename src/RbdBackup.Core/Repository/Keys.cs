using System.Globalization;
using System.Text;
using RbdBackup.Core.Model;
using RbdBackup.Core.Verify;

namespace RbdBackup.Core.Repository;

/// <summary>What a manifest's key tells before the manifest is read.</summary>
/// <param name="Key">The key itself.</param>
/// <param name="Disk">The disk's part of the key (<see cref="Keys.Disk"/>).</param>
/// <param name="Point">The point.</param>
/// <param name="Revision">Of several revisions of a point the highest valid one counts.</param>
/// <param name="Attempt">The attempt that wrote it.</param>
/// <param name="Kind">Full or increment.</param>
/// <param name="StoredBytes">What the point's own segments take in the store.</param>
public sealed record ManifestKey(string Key, string Disk, PointId Point, int Revision, AttemptId Attempt, PointKind Kind, long StoredBytes)
{
    /// <summary>The manifest's length in bytes, as a listing gave it; -1 where none did.</summary>
    public long Length { get; init; } = -1;
}

/// <summary>The keys of the repository's objects (docs/FORMAT.md, "Keys"). Every key that a job writes holds an attempt's id and is written once.</summary>
public static class Keys
{
    /// <summary>Where the manifests are.</summary>
    public const string PointsPrefix = "points/";

    /// <summary>Where segments, plans, indexes and references are.</summary>
    public const string DataPrefix = "data/";

    /// <summary>Where the repository's headers are.</summary>
    public const string HeaderPrefix = "repository.";

    /// <summary>Where garbage candidates are written down.</summary>
    public const string GarbagePrefix = "gc/";

    /// <summary>Where collections say what they are about to delete.</summary>
    public const string CollectingPrefix = "collecting/";

    /// <summary>Where finished jobs are.</summary>
    public const string JobsPrefix = "jobs/";

    /// <summary>Where pins are.</summary>
    public const string PinsPrefix = "pins/";

    /// <summary>Where a sealed repository's key slots are.</summary>
    public const string KeysPrefix = "keys/";

    private const string RotatingPrefix = $"{KeysPrefix}rotating.";

    /// <summary>Where the results of verifications are.</summary>
    public const string VerifiedPrefix = "verified/";

    /// <summary>Where the manifests of server points are.</summary>
    public const string ServersPrefix = "servers/";

    /// <summary>Where the catalogues are.</summary>
    public const string CataloguePrefix = "catalogue/";

    // What every store takes (a file name has 255 bytes, a key 800), with room for the longest name of a manifest.
    private const int MaxPart = 255;
    private const int MaxDisk = 680;

    /// <summary>A disk: <c>fsid/pool/namespace/name</c>, each part escaped; the default namespace is <c>~</c>.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Unsupported"/>: the names are too long for keys.</exception>
    public static string Disk(string fsid, ImageSpec image)
    {
        string[] parts = [Escape(fsid), Escape(image.Pool), image.Namespace.Length == 0 ? "~" : Escape(image.Namespace), Escape(image.Name)];
        var disk = string.Join('/', parts);
        return disk.Length <= MaxDisk && parts.All(p => p.Length <= MaxPart)
            ? disk
            : throw new RbdBackupException(
                ErrorKind.Unsupported, $"the name of {image} is too long for a store's keys: {MaxPart} bytes a part, {MaxDisk} in all, with three for each byte that is escaped",
                "Rename the image.");
    }

    /// <summary>The image that a disk's key names.</summary>
    public static (string Fsid, ImageSpec Image) ParseDisk(string disk)
    {
        var parts = disk.Split('/');
        return (Unescape(parts[0]), new ImageSpec(Unescape(parts[1]), parts[2] == "~" ? "" : Unescape(parts[2]), Unescape(parts[3])));
    }

    /// <summary>Where a disk's manifests are.</summary>
    public static string DiskPrefix(string disk) => $"{PointsPrefix}{disk}/";

    /// <summary>Where a point's manifests are.</summary>
    public static string PointPrefix(string disk, PointId point) => $"{DiskPrefix(disk)}{point}.";

    /// <summary>A manifest's key.</summary>
    public static string Manifest(string disk, PointId point, int revision, AttemptId attempt, PointKind kind, long storedBytes) =>
        $"{DiskPrefix(disk)}{point}.{revision:D6}.{attempt}.{(kind == PointKind.Full ? "full" : "increment")}.{storedBytes}.json";

    /// <summary>The marker that says: what any attempt at this point wrote is void.</summary>
    public static string Aborted(string disk, PointId point) => $"{DiskPrefix(disk)}{point}.aborted";

    /// <summary>The point that an aborted marker names; null where the key is none.</summary>
    public static (string Disk, PointId Point)? TryParseAborted(string key) =>
        SplitPointsKey(key) is { } k && k.File.EndsWith(".aborted", StringComparison.Ordinal) && PointId.TryParse(k.File[..^8], out var point)
            ? (k.Disk, point.Value)
            : null;

    /// <summary>What a manifest's key tells; null where the key is none.</summary>
    public static ManifestKey? TryParseManifest(string key)
    {
        if (SplitPointsKey(key) is not { } k)
        {
            return null;
        }

        var parts = k.File.Split('.');
        if (parts is not [var id, var revision, var attempt, "full" or "increment", var size, "json"]
            || !PointId.TryParse(id, out var point)
            || !int.TryParse(revision, NumberStyles.None, CultureInfo.InvariantCulture, out var r)
            || AttemptId.TryParse(attempt) is not { } a
            || !long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var s))
        {
            return null;
        }

        return new ManifestKey(key, k.Disk, point.Value, r, a, parts[3] == "full" ? PointKind.Full : PointKind.Increment, s);
    }

    /// <summary>Where all of a point's data is.</summary>
    public static string PointData(PointId point) => $"{DataPrefix}{point}/";

    /// <summary>A segment: the number comes first, so that a plain listing is in the stream's order.</summary>
    public static string Segment(PointId point, int number, AttemptId attempt) => $"{PointData(point)}{number:D8}.{attempt}";

    /// <summary>The number and attempt in a segment's key; null where the key is none.</summary>
    public static (int Number, AttemptId Attempt)? TryParseSegment(string key)
    {
        var file = key[(key.LastIndexOf('/') + 1)..];
        return file.Length == 8 + 1 + AttemptId.Length && file[8] == '.'
            && int.TryParse(file.AsSpan(0, 8), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && AttemptId.TryParse(file[9..]) is { } attempt
            ? (number, attempt)
            : null;
    }

    /// <summary>The plan that an attempt stored.</summary>
    public static string Plan(PointId point, AttemptId attempt) => $"{PointData(point)}plan.{attempt}";

    /// <summary>The index that an attempt stored.</summary>
    public static string Index(PointId point, AttemptId attempt) => $"{PointData(point)}index.{attempt}";

    /// <summary>Pages of a merged index that an attempt stored beside the index itself.</summary>
    public static string Leaves(PointId point, int number, AttemptId attempt) => $"{PointData(point)}leaves.{attempt}.{number:D4}";

    /// <summary>The references that an attempt stored.</summary>
    public static string References(PointId point, AttemptId attempt) => $"{PointData(point)}references.{attempt}";

    /// <summary>True for the key of references.</summary>
    public static bool IsReferences(string key) => key.AsSpan(key.LastIndexOf('/') + 1).StartsWith("references.");

    /// <summary>True for a plan's key.</summary>
    public static bool IsPlan(string key) => key.AsSpan(key.LastIndexOf('/') + 1).StartsWith("plan.");

    /// <summary>A list of garbage candidates, written down at a time.</summary>
    public static string Garbage(DateTimeOffset written, AttemptId attempt) => Timed(GarbagePrefix, written, attempt);

    /// <summary>When a list of candidates was written down; null where the key is none.</summary>
    public static DateTimeOffset? TryParseGarbage(string key) => TimeOf(GarbagePrefix, key);

    /// <summary>A list of what a collection is about to delete, written down at a time.</summary>
    public static string Collecting(DateTimeOffset written, AttemptId attempt) => Timed(CollectingPrefix, written, attempt);

    /// <summary>When a list of what a collection is about to delete was written down; null where the key is none.</summary>
    public static DateTimeOffset? TryParseCollecting(string key) => TimeOf(CollectingPrefix, key);

    private static string Timed(string prefix, DateTimeOffset written, AttemptId attempt) => $"{prefix}{written.ToUnixTimeMilliseconds():D15}.{attempt}.json";

    private static DateTimeOffset? TimeOf(string prefix, string key) =>
        key.StartsWith(prefix, StringComparison.Ordinal)
        && long.TryParse(key[prefix.Length..].Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var ms)
            ? DateTimeOffset.FromUnixTimeMilliseconds(Math.Min(ms, DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()))
            : null;

    /// <summary>Where the manifests of a server's points are.</summary>
    public static string ServerPrefix(string server) => $"{ServersPrefix}{Escape(server)}/";

    /// <summary>Where the manifest of a server point is, whichever attempt wrote it.</summary>
    public static string ServerPointPrefix(string server, PointId point) => $"{ServerPrefix(server)}{point}.";

    /// <summary>The manifest of a server point.</summary>
    public static string ServerPoint(string server, PointId point, AttemptId attempt) => $"{ServerPointPrefix(server, point)}{attempt}.json";

    /// <summary>The server and point that a server point's key names; null where the key is none.</summary>
    public static (string Server, PointId Point, AttemptId Attempt)? TryParseServerPoint(string key) =>
        key.StartsWith(ServersPrefix, StringComparison.Ordinal)
        && key[ServersPrefix.Length..].Split('/') is [{ Length: > 0 } server, var file]
        && file.Split('.') is [var id, var by, "json"]
        && PointId.TryParse(id, out var point) && AttemptId.TryParse(by) is { } attempt
            ? (Unescape(server), point.Value, attempt)
            : null;

    /// <summary>A finished job's record.</summary>
    public static string FinishedJob(PointId point, AttemptId attempt) => $"{JobsPrefix}{point}.{attempt}.json";

    /// <summary>A pin; of a point's pins the highest revision counts.</summary>
    public static string Pin(PointId point, int revision, AttemptId attempt) => $"{PinsPrefix}{point}.{revision:D6}.{attempt}.json";

    /// <summary>The point and revision that a pin's key names; null where the key is none.</summary>
    public static (PointId Point, int Revision)? TryParsePin(string key) =>
        key.StartsWith(PinsPrefix, StringComparison.Ordinal)
        && key[PinsPrefix.Length..].Split('.') is [var id, var revision, var attempt, "json"]
        && PointId.TryParse(id, out var point)
        && int.TryParse(revision, NumberStyles.None, CultureInfo.InvariantCulture, out var r)
        && AttemptId.TryParse(attempt) is not null
            ? (point.Value, r)
            : null;

    /// <summary>
    /// Prefixes of data keys that hold every point made from one time up to another, and few others: ids begin with their time, so that what is recent is
    /// found without listing all.
    /// </summary>
    public static IEnumerable<string> DataPrefixes(DateTimeOffset from, DateTimeOffset to)
    {
        // Six of the twelve digits of a time in milliseconds: 4.7 hours each.
        const int shift = 24;
        for (var at = from.ToUnixTimeMilliseconds() >> shift; at <= to.ToUnixTimeMilliseconds() >> shift; at++)
        {
            yield return $"{DataPrefix}{at:x6}";
        }
    }

    /// <summary>A key slot's object.</summary>
    public static string KeySlot(string slot, AttemptId attempt) => $"{KeysPrefix}{slot}.{attempt}.json";

    /// <summary>True for a key slot's object.</summary>
    public static bool IsKeySlot(string key) =>
        key.StartsWith(KeysPrefix, StringComparison.Ordinal) && key[KeysPrefix.Length..].Split('.') is [{ Length: 8 } id, var attempt, "json"]
        && id.All(char.IsAsciiHexDigitLower) && AttemptId.TryParse(attempt) is not null;

    /// <summary>A master key that was rotated away, wrapped under the next one.</summary>
    public static string OlderMaster(int generation, AttemptId attempt) => $"{OlderMasters(generation)}{attempt}.json";

    /// <summary>The prefix of <see cref="OlderMaster"/>: of several, that counts which the next one opens.</summary>
    public static string OlderMasters(int generation) => $"{KeysPrefix}older.{generation:D5}.";

    /// <summary>Says that a new master key is being made.</summary>
    public static string Rotating(DateTimeOffset since, AttemptId attempt) => Timed(RotatingPrefix, since, attempt);

    /// <summary>Since when a new master key is being made; null where the key says no such thing.</summary>
    public static DateTimeOffset? TryParseRotating(string key) => TimeOf(RotatingPrefix, key);

    /// <summary>The wrapped key of an attempt; an object for each generation of the master key.</summary>
    /// <param name="point">The point whose segments the attempt wrote.</param>
    /// <param name="attempt">The attempt that wrote the segments.</param>
    /// <param name="generation">The generation of the master key.</param>
    /// <param name="by">What makes the key unique.</param>
    public static string Wrap(PointId point, AttemptId attempt, int generation, AttemptId by) => $"{WrapsOf(point, attempt)}{generation:D5}.{by}";

    /// <summary>The prefix of an attempt's <see cref="Wrap"/>s.</summary>
    public static string WrapsOf(PointId point, AttemptId attempt) => $"{PointData(point)}wraps.{attempt}.";

    /// <summary>The attempt and generation in a wrap's key; null where the key is none.</summary>
    public static (AttemptId Attempt, int Generation)? TryParseWrap(string key) =>
        key[(key.LastIndexOf('/') + 1)..].Split('.') is ["wraps", var attempt, { Length: 5 } generation, var by]
        && AttemptId.TryParse(attempt) is { } a && AttemptId.TryParse(by) is not null
        && int.TryParse(generation, NumberStyles.None, CultureInfo.InvariantCulture, out var g)
            ? (a, g)
            : null;

    /// <summary>The result of a verification: what a listing needs is in its name.</summary>
    public static string Verified(string disk, PointId point, DateTimeOffset at, VerifyKind kind, bool ok, AttemptId attempt) =>
        $"{VerifiedPrefix}{disk}/{point}.{at.ToUnixTimeMilliseconds():D15}.{Word(kind)}.{(ok ? "ok" : "damaged")}.{attempt}.json";

    /// <summary>What the key of a verification's result tells; null where the key is none.</summary>
    public static VerifiedKey? TryParseVerified(string key) =>
        SplitDiskKey(key, VerifiedPrefix) is { } k
        && k.File.Split('.') is [var id, var at, var kind, var result, var attempt, "json"] && result is "ok" or "damaged"
        && PointId.TryParse(id, out var point) && AttemptId.TryParse(attempt) is not null
        && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var ms) && ms <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
        && Enum.GetValues<VerifyKind>().Where(v => Word(v) == kind).Select(v => (VerifyKind?)v).FirstOrDefault() is { } known
            ? new VerifiedKey(key, k.Disk, point.Value, DateTimeOffset.FromUnixTimeMilliseconds(ms), known, result == "ok")
            : null;

    /// <summary>A catalogue's directory.</summary>
    public static string Catalogue(DateTimeOffset written, AttemptId attempt) => $"{CataloguePrefix}{written.ToUnixTimeMilliseconds():D15}.{attempt}.json";

    /// <summary>A part of a catalogue.</summary>
    public static string CataloguePart(DateTimeOffset written, AttemptId attempt, int number) =>
        $"{CataloguePrefix}{written.ToUnixTimeMilliseconds():D15}.{attempt}.{number:D6}";

    /// <summary>When the catalogue was written that a directory or a part belongs to; null where the key is none.</summary>
    public static (DateTimeOffset Written, AttemptId Attempt, bool IsDirectory)? TryParseCatalogue(string key) =>
        key.StartsWith(CataloguePrefix, StringComparison.Ordinal) && key[CataloguePrefix.Length..].Split('.') is [{ Length: 15 } at, var by, var last]
        && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var ms) && ms <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
        && AttemptId.TryParse(by) is { } attempt && (last == "json" || last.All(char.IsAsciiDigit))
            ? (DateTimeOffset.FromUnixTimeMilliseconds(ms), attempt, last == "json")
            : null;

    /// <summary>The point under whose prefix a data object lies; null where the key is none.</summary>
    public static PointId? PointOfData(string key) =>
        key.StartsWith(DataPrefix, StringComparison.Ordinal) && key.Length > DataPrefix.Length + 37 && key[DataPrefix.Length + 36] == '/'
        && PointId.TryParse(key.Substring(DataPrefix.Length, 36), out var point)
            ? point
            : null;

    private static string Word(VerifyKind kind) => kind.ToString().ToLowerInvariant();

    private static (string Disk, string File)? SplitPointsKey(string key) => SplitDiskKey(key, PointsPrefix);

    private static (string Disk, string File)? SplitDiskKey(string key, string prefix)
    {
        if (!key.StartsWith(prefix, StringComparison.Ordinal) || key.Count(c => c == '/') != 5)
        {
            return null;
        }

        var cut = key.LastIndexOf('/');
        return (key[prefix.Length..cut], key[(cut + 1)..]);
    }

    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            // A leading dot would make "." and ".." possible, which folders take for something else.
            var plain = char.IsAsciiLetterOrDigit((char)b) || b is (byte)'_' or (byte)'-' || (b == '.' && escaped.Length > 0);
            _ = plain ? escaped.Append((char)b) : escaped.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }

        return escaped.ToString();
    }

    private static string Unescape(string text) => Uri.UnescapeDataString(text);
}
