using RbdBackup.Core.Model;

namespace RbdBackup.OpenStack;

/// <summary>What was received is no notification; the message says why. It will never become one, so trying again is of no use.</summary>
public sealed class NotificationException : RbdBackupException
{
    /// <summary>Makes the error with its reason, a clause ("its envelope has no oslo.message").</summary>
    public NotificationException(string reason)
        : base(ErrorKind.Corrupt, $"Not a notification: {reason}", "Look at its publisher: exchange and routing key are in the dead letter's headers.")
    {
        Reason = reason;
    }

    /// <summary>The reason alone.</summary>
    public string Reason { get; }
}
