namespace RbdBackup.OpenStack.Compute;

/// <summary>Something that was done to a server.</summary>
/// <param name="Action">Such as <c>create</c>, <c>rebuild</c>, <c>resize</c>.</param>
/// <param name="RequestId">The request that asked for it.</param>
/// <param name="StartTime">When it began; UTC.</param>
/// <param name="Message">Null where nothing went wrong.</param>
public sealed record ServerAction(string Action, string RequestId, DateTimeOffset? StartTime = null, string? Message = null);
