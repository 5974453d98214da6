using RbdBackup.Core.Model;

namespace RbdBackup.Core.Ports;

/// <summary>What the cloud does to disks.</summary>
public interface IDiskActivity
{
    /// <summary>With what the cloud is busy on a disk, such as <c>resize_prep</c>, that no snapshot may come in the way of; null for nothing, for what is no server's and no
    /// volume's disk, and where the cloud does not answer: a backup does not wait for that.</summary>
    Task<string?> BusyWithAsync(ImageSpec disk, CancellationToken cancel);
}
