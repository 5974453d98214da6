using Microsoft.Extensions.Logging;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;
using RbdBackup.Http.Keystone;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.Composition;

/// <summary>How to reach the cloud, as the settings say it.</summary>
internal static class CloudAccess
{
    /// <summary>The cloud's clients; nothing is asked before the first call.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> where nothing says how to log in.</exception>
    public static OpenStackCloud Open(RbdBackupSettings settings, ILogger? logger = null) => settings.Keystone.AuthType is null
        ? throw new RbdBackupException(
            ErrorKind.Usage,
            $"Nothing says how to log in to OpenStack{(settings.KeystoneProblem is { } problem ? $": {problem}" : "")}.",
            "Set [keystone] auth_type or cloud, or OS_CLOUD, or OS_AUTH_URL and what goes with it.")
        : new OpenStackCloud(new CloudOptions { Keystone = Keystone(settings.Keystone), CaFile = settings.Keystone.Cafile }, logger);

    /// <summary>The same for a worker; null where nothing says how to log in, or where the cloud is not to be asked.</summary>
    public static OpenStackCloud? OpenToAsk(RbdBackupSettings settings, ILogger logger) =>
        settings.Keystone.AuthType is null || !settings.Tenants.AskCloud ? null : Open(settings, logger);

    /// <summary>What the way to log in does not need is left out: it may be set for another one.</summary>
    public static KeystoneOptions Keystone(KeystoneSettings keystone) => new()
    {
        AuthUrl = keystone.AuthUrl ?? "",
        Username = keystone.Username,
        UserId = keystone.UserId,
        UserDomainName = keystone.UserDomainName,
        UserDomainId = keystone.UserDomainId,
        Password = keystone.AuthType == "v3applicationcredential" ? null : keystone.Password,
        ProjectName = keystone.ProjectName,
        ProjectId = keystone.ProjectId,
        ProjectDomainName = keystone.ProjectDomainName,
        ProjectDomainId = keystone.ProjectDomainId,
        ApplicationCredentialId = keystone.ApplicationCredentialId,
        ApplicationCredentialName = keystone.ApplicationCredentialName,
        ApplicationCredentialSecret = keystone.AuthType == "v3applicationcredential" ? keystone.ApplicationCredentialSecret : null,
        RegionName = keystone.RegionName,
        Interfaces = keystone.ValidInterfaces,
    };
}
