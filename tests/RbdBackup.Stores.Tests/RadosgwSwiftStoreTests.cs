using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>radosgw speaks Swift too, with Swift's own authentication.</summary>
public sealed class RadosgwSwiftStoreTests : SwiftContract
{
    protected override IObjectStore OpenStore(string prefix, string? container = null, string? secret = null) =>
        SwiftPlace.Open(SwiftPlace.Radosgw(secret), prefix, container ?? S3Place.Bucket);
}
