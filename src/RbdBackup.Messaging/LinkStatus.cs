namespace RbdBackup.Messaging;

/// <summary>How a link to a broker is.</summary>
public enum LinkState
{
    /// <summary>Not started, or stopped.</summary>
    Stopped,

    /// <summary>Being made, for the first time or again.</summary>
    Connecting,

    /// <summary>Up: queues declared, consumers running.</summary>
    Connected,
}

/// <summary>How a link to a broker is, for <c>/readyz</c> and for people.</summary>
/// <param name="Name">What the link is for (<c>notifications</c>, <c>release</c>, <c>jobs</c>).</param>
/// <param name="Broker">The broker, without user and password.</param>
/// <param name="State">Its state.</param>
/// <param name="Since">Since when it is in that state.</param>
/// <param name="FailedAttempts">How many attempts to connect failed since it was last up.</param>
/// <param name="LastError">What failed last; null where nothing did since it was last up.</param>
public sealed record LinkStatus(string Name, string Broker, LinkState State, DateTimeOffset Since, int FailedAttempts, string? LastError);
