using System.Text.Json.Serialization;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using RbdBackup.OpenStack.Identity;
using RbdBackup.OpenStack.Images;

namespace RbdBackup.OpenStack;

/// <summary>How the services' answers are read: snake_case, times in every spelling that the services have, and an error where what must be there is not.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, Converters = [typeof(TimeConverter)])]
[JsonSerializable(typeof(Project))]
[JsonSerializable(typeof(Flavor))]
[JsonSerializable(typeof(IReadOnlyList<Flavor>))]
[JsonSerializable(typeof(Server))]
[JsonSerializable(typeof(IReadOnlyList<Server>))]
[JsonSerializable(typeof(IReadOnlyList<ServerAction>))]
[JsonSerializable(typeof(IReadOnlyList<ServerInterface>))]
[JsonSerializable(typeof(Created))]
[JsonSerializable(typeof(IReadOnlyList<HostAggregate>))]
[JsonSerializable(typeof(VolumeAttachment))]
[JsonSerializable(typeof(IReadOnlyList<VolumeAttachment>))]
[JsonSerializable(typeof(Volume))]
[JsonSerializable(typeof(IReadOnlyList<Volume>))]
[JsonSerializable(typeof(Attachment))]
[JsonSerializable(typeof(IReadOnlyList<Attachment>))]
[JsonSerializable(typeof(VolumeSnapshot))]
[JsonSerializable(typeof(IReadOnlyList<VolumeSnapshot>))]
[JsonSerializable(typeof(GlanceImage))]
[JsonSerializable(typeof(IReadOnlyList<GlanceImage>))]
internal sealed partial class CloudTypes : JsonSerializerContext;
