using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>Swift by Keystone.</summary>
public sealed class KeystoneSwiftStoreTests : SwiftContract
{
    protected override IObjectStore OpenStore(string prefix, string? container = null, string? secret = null) =>
        SwiftPlace.Open(SwiftPlace.Keystone(SwiftPlace.Password(password: secret)), prefix, container);
}
