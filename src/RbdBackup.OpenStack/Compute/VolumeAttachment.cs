using System.Text.Json.Serialization;

namespace RbdBackup.OpenStack.Compute;

/// <summary>A volume at a server.</summary>
/// <param name="VolumeId">The volume.</param>
/// <param name="ServerId">The server.</param>
/// <param name="Device">Such as <c>/dev/vdb</c>; null where the hypervisor gave it none yet.</param>
/// <param name="DeleteOnTermination">True where the volume goes with the server.</param>
/// <param name="Tag">What the guest finds it by; null for nothing.</param>
/// <param name="AttachmentId">Cinder's attachment; null where Nova is too old to say.</param>
public sealed record VolumeAttachment(
    [property: JsonPropertyName("volumeId")] string VolumeId,
    [property: JsonPropertyName("serverId")] string ServerId,
    string? Device = null,
    bool DeleteOnTermination = false,
    string? Tag = null,
    string? AttachmentId = null);
