namespace RbdBackup.Core.Ports;

/// <summary>Holds reads back so that the cluster's other users do not feel them.</summary>
public interface IThrottle
{
    /// <summary>Returns when <paramref name="bytes"/> may be read.</summary>
    ValueTask WaitAsync(int bytes, CancellationToken cancel);
}
