using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>Swift by its own authentication.</summary>
public sealed class SwiftStoreTests : SwiftContract
{
    protected override IObjectStore OpenStore(string prefix, string? container = null, string? secret = null) =>
        SwiftPlace.Open(SwiftPlace.Own(key: secret), prefix, container);
}
