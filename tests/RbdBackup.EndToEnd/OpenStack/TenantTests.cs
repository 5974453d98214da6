namespace RbdBackup.EndToEnd.OpenStack;

[Trait("Needs", "OpenStack")]
public sealed class TenantTests
{
    [Fact]
    public async Task A_guest_writes_to_its_root_disk_and_to_a_volume()
    {
        await using var tenant = Tenant.Of("A");
        var server = await tenant.BootAsync();
        var volume = await tenant.CreateVolumeAsync();
        await tenant.AttachAsync(server.Id, volume.Id);
        var guest = new Guest(server.Id);
        await guest.UpAsync(disks: 2);
        Assert.Equal("written\n", await guest.RunAsync("echo written >/mnt/vda/file; echo written >/mnt/vdb/file; sync; cat /mnt/vdb/file"));
    }
}
