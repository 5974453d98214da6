using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Composition;

/// <summary>Names of policies that people give.</summary>
internal static class PolicyNames
{
    /// <summary>Refuses a policy that is not configured: a point under a name that nobody knows would be kept for ever.</summary>
    public static void RequireKnown(RbdBackupSettings settings, string? policy)
    {
        if (policy is not null && !settings.Policies.ContainsKey(policy))
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"there is no policy '{policy}'", $"Policies are: {string.Join(", ", settings.Policies.Keys.Order(StringComparer.Ordinal))}. Add [policy:{policy}] for a new one.");
        }
    }
}
