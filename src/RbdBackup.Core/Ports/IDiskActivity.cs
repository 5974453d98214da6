using RbdBackup.Core.Model;

namespace RbdBackup.Core.Ports;

/// <summary>What the cloud does to disks.</summary>
public interface IDiskActivity
{
    /// <summary>With what the cloud is busy on a disk, such as <c>resize_prep</c>, that no snapshot may come in the way of; null for nothing, for what is no server's and no
    /// volume's disk, and where the cloud does not answer: a backup does not wait for that.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="volume">The volume's id, where it is known; null: what the image's name says.</param>
    /// <param name="cancel">Ends the wait.</param>
    Task<string?> BusyWithAsync(ImageSpec disk, string? volume, CancellationToken cancel);
}
