namespace RbdBackup.Ceph.Native;

/// <summary>C: <c>struct timeval</c>, as <c>rados_lock_exclusive</c> takes a duration.</summary>
internal struct Timeval
{
    public long tv_sec;
    public long tv_usec;

    /// <summary>The same time.</summary>
    public static Timeval From(TimeSpan span) =>
        new()
        {
            tv_sec = span.Ticks / TimeSpan.TicksPerSecond,
            tv_usec = span.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond,
        };
}

/// <summary>C: <c>struct timespec</c>, as <c>rbd_get_create_timestamp</c> gives a time.</summary>
internal struct Timespec
{
    public long tv_sec;
    public long tv_nsec;
}
