using RbdBackup.Cli;
using RbdBackup.Configuration;

namespace RbdBackup.Tenants;

/// <summary>What a project has in the repository.</summary>
/// <param name="Points">Points.</param>
/// <param name="Stored">Their bytes in the store.</param>
/// <param name="LastDay">Backups of the last 24 hours, those among them that were asked for and are not done yet.</param>
internal sealed record ProjectUsage(long Points, long Stored, long LastDay)
{
    /// <summary>Why nothing more is backed up for the project; null where it may. For the project to read. Pure.</summary>
    public string? WhyNoMore(TenantsSettings limits) =>
        limits.MaxPoints > 0 && Points >= limits.MaxPoints ? $"the project has {Points} points of {limits.MaxPoints}"
        : limits.MaxStored > 0 && Stored >= limits.MaxStored ? $"the project's points take {Humanize.Bytes(Stored)} of {Humanize.Bytes(limits.MaxStored)}"
        : limits.MaxBackupsADay > 0 && LastDay >= limits.MaxBackupsADay ? $"the project had {LastDay} backups of {limits.MaxBackupsADay} in 24 hours"
        : null;
}
