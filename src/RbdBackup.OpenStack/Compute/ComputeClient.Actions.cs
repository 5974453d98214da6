using System.Text.Json.Nodes;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Compute;

public sealed partial class ComputeClient
{
    /// <summary>Stops a server: its guest is asked to shut down, and is switched off after Nova's <c>shutdown_timeout</c>. It is off a while after Nova's answer.</summary>
    public Task StopAsync(string id, CancellationToken cancel) => ActAsync(id, "os-stop", null, "stopping", cancel);

    /// <summary>Starts a server that is off; it runs a while after Nova's answer.</summary>
    public Task StartAsync(string id, CancellationToken cancel) => ActAsync(id, "os-start", null, "starting", cancel);

    /// <summary>Halts a server's processors; they stand a while after Nova's answer.</summary>
    public Task PauseAsync(string id, CancellationToken cancel) => ActAsync(id, "pause", null, "pausing", cancel);

    /// <summary>Lets a paused server go on.</summary>
    public Task UnpauseAsync(string id, CancellationToken cancel) => ActAsync(id, "unpause", null, "unpausing", cancel);

    /// <summary>Locks a server: its project can't change it until it is unlocked. One that is locked gets the new reason.</summary>
    /// <param name="id">The server.</param>
    /// <param name="reason">What its project sees; 255 characters at most.</param>
    /// <param name="cancel">Ends the wait.</param>
    public Task LockAsync(string id, string reason, CancellationToken cancel) =>
        ActAsync(id, "lock", new JsonObject { ["locked_reason"] = reason }, "locking", cancel, isRepeatable: true);

    /// <summary>Unlocks a server; it may be unlocked already.</summary>
    public Task UnlockAsync(string id, CancellationToken cancel) => ActAsync(id, "unlock", null, "unlocking", cancel, isRepeatable: true);

    /// <summary>An action twice is a conflict, so it is not repeated where it may have been begun.</summary>
    private Task ActAsync(string id, string action, JsonObject? with, string doing, CancellationToken cancel, bool isRepeatable = false) =>
        _nova.DoAsync(
            new ServiceCall(HttpMethod.Post, $"{Path(id)}/action", $"{doing} the server {id}") { Body = new() { [action] = with }, IsRepeatable = isRepeatable }, cancel);
}
