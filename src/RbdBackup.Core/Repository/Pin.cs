using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>Keeps a point, and what it stands on, whatever a policy says. Of a point's pins the highest revision counts.</summary>
/// <param name="Format">The version of the format.</param>
/// <param name="Point">The point.</param>
/// <param name="Disk">The disk's part of keys.</param>
/// <param name="Revision">1, and more for each later pin of the point.</param>
/// <param name="Written">When it was written.</param>
/// <param name="Until">When it ends; null: the point is not pinned any more.</param>
/// <param name="Why">Why, for people.</param>
/// <param name="By">Who wrote it: a login name.</param>
public sealed record Pin(int Format, PointId Point, string Disk, int Revision, DateTimeOffset Written, DateTimeOffset? Until, string Why, string By);
