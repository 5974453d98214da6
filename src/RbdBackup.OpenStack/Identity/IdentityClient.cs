using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Identity;

/// <summary>Keystone's projects.</summary>
public sealed class IdentityClient
{
    private readonly ServiceClient _keystone;

    internal IdentityClient(CloudSession session) => _keystone = new ServiceClient(session, ServiceKind.Keystone);

    /// <summary>Shows a project with its tags.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.NotFound"/>, or <see cref="ErrorKind.Permission"/> where Keystone does not show it to us.</exception>
    public Task<Project> GetProjectAsync(string id, CancellationToken cancel) =>
        _keystone.GetAsync(CloudTypes.Default.Project, new(HttpMethod.Get, $"/projects/{ServiceCall.Part(id)}", $"showing the project {id}"), "project", cancel);
}
