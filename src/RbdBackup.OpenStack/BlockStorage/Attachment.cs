using System.Text.Json.Serialization;

namespace RbdBackup.OpenStack.BlockStorage;

/// <summary>An attachment in Cinder. What the volume's driver says of how to connect is left out: it may hold keys.</summary>
/// <param name="Id">Its id.</param>
/// <param name="VolumeId">The volume.</param>
/// <param name="Status"><c>reserved</c>, <c>attaching</c>, <c>attached</c> …</param>
/// <param name="ServerId">The server that it is for; null for none.</param>
public sealed record Attachment(string Id, string VolumeId, string Status, [property: JsonPropertyName("instance")] string? ServerId = null);
