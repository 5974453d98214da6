namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>A clock that can be ahead.</summary>
internal sealed class MovedClock : TimeProvider
{
    public TimeSpan Moved { get; set; }

    public override long GetTimestamp() => base.GetTimestamp() + (long)(Moved.TotalSeconds * TimestampFrequency);
}
