using RbdBackup.Core.Model;
using static RbdBackup.OpenStack.Tests.Cloud.CloudPlace;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>Images of a real Glance.</summary>
[Trait("Needs", "OpenStack")]
public sealed class ImageTests
{
    [Fact]
    public async Task An_image_is_shown_with_its_properties()
    {
        using var cloud = Open(Tenant());
        var image = await cloud.Images.GetAsync(await ServerPlace.ImageIdAsync(), None);
        Assert.Equal(("mini", "active", "public", "raw", 1), (image.Name, image.Status, image.Visibility, image.DiskFormat, image.MinDisk));
        Assert.True(image.Size > 1 << 20);
        Assert.Equal("yes", image.Properties["hw_qemu_guest_agent"].GetString());
        Assert.Equal(["hw_disk_bus", "hw_qemu_guest_agent", "os_type"], image.ForNova.Keys.Order());
        Assert.NotNull(image.CreatedAt);
    }

    [Fact]
    public async Task An_image_that_is_not_there_is_told()
    {
        using var cloud = Open(Tenant());
        await FailsAsync(ErrorKind.NotFound, () => cloud.Images.GetAsync(Guid.NewGuid().ToString(), None));
        await FailsAsync(ErrorKind.NotFound, () => cloud.Images.GetAsync("../images", None));
    }
}
