using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Compute;
using static RbdBackup.OpenStack.Tests.Cloud.CloudPlace;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>Servers of a real Nova: a tenant's, as it and as the worker's user see it.</summary>
[Trait("Needs", "OpenStack")]
public sealed class ComputeTests(ServerPlace place) : IClassFixture<ServerPlace>
{
    private ComputeClient Tenant => place.Tenant.Compute;

    private ComputeClient Worker => place.Worker.Compute;

    [Fact]
    public async Task A_server_is_shown_with_all_that_we_ask_of_it()
    {
        var server = await Tenant.GetServerAsync(place.Id, None);
        Assert.Equal((place.Name, "a test's", "mini", 192, 1), (server.Name, server.Description, server.Flavor!.OriginalName, server.Flavor.Ram, server.Flavor.Disk));
        Assert.Equal(await ServerPlace.ImageIdAsync(), server.ImageId);
        Assert.Equal("daily", server.Metadata!["backup_policy"]);
        Assert.Null(server.Host);
        Assert.False(server.IsUnknown);
        Assert.InRange(server.Created!.Value, DateTimeOffset.UtcNow.AddMinutes(-10), DateTimeOffset.UtcNow.AddMinutes(5));

        var seen = await Worker.GetServerAsync(place.Id, None);
        Assert.Equal(server.ProjectId, seen.ProjectId);
        Assert.NotEmpty(seen.Host!);
        Assert.StartsWith("instance-", seen.InstanceName, StringComparison.Ordinal);
        Assert.Equal("/dev/vda", seen.RootDevice);

        var flavor = await Tenant.GetFlavorAsync(place.FlavorId, None);
        Assert.Equal(("mini", 1, 192, 1, 0, 0), (flavor.Name, flavor.Vcpus, flavor.Ram, flavor.Disk, flavor.Ephemeral, flavor.Swap));
    }

    [Fact]
    public async Task Metadata_is_set_and_deleted_key_by_key_within_the_quota()
    {
        await Worker.SetMetadataAsync(place.Id, new Dictionary<string, string> { ["a key: 1.2"] = "one", ["other"] = "ü € '\"" }, None);
        await Worker.SetMetadataAsync(place.Id, new Dictionary<string, string> { ["a key: 1.2"] = "two" }, None);
        var metadata = (await Tenant.GetServerAsync(place.Id, None)).Metadata!;
        Assert.Equal(("two", "ü € '\"", "daily"), (metadata["a key: 1.2"], metadata["other"], metadata["backup_policy"]));

        var tooMuch = Enumerable.Range(0, 130).ToDictionary(i => $"key{i}", i => $"{i}");
        var e = await FailsAsync(ErrorKind.NoSpace, () => Worker.SetMetadataAsync(place.Id, tooMuch, None));
        Assert.Contains("metadata", e.Message, StringComparison.OrdinalIgnoreCase);
        await FailsAsync(ErrorKind.Usage, () => Worker.SetMetadataAsync(place.Id, new Dictionary<string, string> { ["a/b"] = "" }, None));

        foreach (var key in new[] { "a key: 1.2", "other", "other", "never/there?x#y" })
        {
            await Worker.DeleteMetadataAsync(place.Id, key, None);
        }
        Assert.Equal("backup_policy", Assert.Single((await Tenant.GetServerAsync(place.Id, None)).Metadata!).Key);
    }

    [Fact]
    public async Task A_server_is_paused_stopped_and_started_and_what_its_state_forbids_is_told()
    {
        await Worker.PauseAsync(place.Id, None);
        await place.UntilStatusAsync("PAUSED");
        await FailsAsync(ErrorKind.Busy, () => Worker.StopAsync(place.Id, None));
        await Worker.UnpauseAsync(place.Id, None);
        await place.UntilStatusAsync("ACTIVE");
        await FailsAsync(ErrorKind.Busy, () => Worker.UnpauseAsync(place.Id, None));

        await Worker.StopAsync(place.Id, None);
        await place.UntilStatusAsync("SHUTOFF");
        await Worker.StartAsync(place.Id, None);
        await place.UntilStatusAsync("ACTIVE");
    }

    [Fact]
    public async Task A_locked_server_says_why_and_its_project_cannot_change_it()
    {
        await Worker.LockAsync(place.Id, "being restored", None);
        await Worker.LockAsync(place.Id, "being restored, really", None);
        var server = await Tenant.GetServerAsync(place.Id, None);
        Assert.Equal((true, "being restored, really"), (server.Locked, server.LockedReason));
        var e = await FailsAsync(ErrorKind.Busy, () => Tenant.StopAsync(place.Id, None));
        Assert.Contains("locked", e.Message, StringComparison.Ordinal);

        await Worker.UnlockAsync(place.Id, None);
        await Worker.UnlockAsync(place.Id, None);
        Assert.False((await Tenant.GetServerAsync(place.Id, None)).Locked);
    }

    [Fact]
    public async Task A_volume_is_attached_listed_and_detached()
    {
        var volumes = place.Tenant.BlockStorage;
        var volume = (await volumes.CreateVolumeAsync(new NewVolume(place.Name, 1), None)).Id;
        try
        {
            await UntilAsync("the volume is available", async () => (await volumes.GetVolumeAsync(volume, None)).Status == "available");
            var attached = await Tenant.AttachVolumeAsync(place.Id, volume, null, deleteOnTermination: true, "data", None);
            Assert.Equal((volume, place.Id), (attached.VolumeId, attached.ServerId));
            await UntilAsync("the volume is in use", async () => (await volumes.GetVolumeAsync(volume, None)).Status == "in-use");

            var listed = Assert.Single(await Worker.ListVolumesAsync(place.Id, None));
            Assert.Equal((volume, attached.Device, true, "data"), (listed.VolumeId, listed.Device, listed.DeleteOnTermination, listed.Tag));
            Assert.Equal(listed.AttachmentId, (await volumes.GetVolumeAsync(volume, None)).Attachments.Single().AttachmentId);
            Assert.Equal(new AttachedVolume(volume, true), Assert.Single((await Worker.GetServerAsync(place.Id, None)).Volumes!));
        }
        finally
        {
            await Tenant.DetachVolumeAsync(place.Id, volume, None);
            await UntilAsync("the volume is detached", async () => (await volumes.GetVolumeAsync(volume, None)).Status == "available");

            // Nova forgets an attachment a moment after Cinder has.
            await UntilAsync("Nova shows no attachment", async () => (await Worker.ListVolumesAsync(place.Id, None)).Count == 0);
            await Tenant.DetachVolumeAsync(place.Id, volume, None);
            await volumes.DeleteVolumeAsync(volume, None);
        }
        Assert.Empty(await Worker.ListVolumesAsync(place.Id, None));
    }

    [Fact]
    public async Task Listings_are_of_one_project_or_of_all_and_of_what_changed()
    {
        using var paging = Open(Service(), pageSize: 1);
        var all = await paging.Compute.ListServersAsync(new() { AllProjects = true }, None).ToListAsync();
        Assert.Equal(all.Count, all.DistinctBy(server => server.Id).Count());
        var found = Assert.Single(all, server => server.Id == place.Id);
        Assert.Equal("daily", found.Metadata!["backup_policy"]);

        Assert.Equal(place.Id, (await Worker.ListServersAsync(new() { AllProjects = true, Name = $"^{place.Name}$" }, None).SingleAsync()).Id);
        Assert.DoesNotContain(await Worker.ListServersAsync(new(), None).ToListAsync(), server => server.Id == place.Id);
        Assert.All(await Worker.ListServersAsync(new() { AllProjects = true, ProjectId = found.ProjectId }, None).ToListAsync(), server => Assert.Equal(found.ProjectId, server.ProjectId));

        var since = DateTimeOffset.UtcNow.AddSeconds(-1);
        await Worker.SetMetadataAsync(place.Id, new Dictionary<string, string> { ["changed"] = "now" }, None);
        await Worker.DeleteMetadataAsync(place.Id, "changed", None);
        Assert.DoesNotContain(await Worker.ListServersAsync(new() { AllProjects = true, ChangedSince = since.AddHours(1) }, None).ToListAsync(), server => server.Id == place.Id);
        Assert.Contains(await Worker.ListServersAsync(new() { AllProjects = true, ChangedSince = since.AddHours(-1) }, None).ToListAsync(), server => server.Id == place.Id);
    }

    [Fact]
    public async Task Aggregates_are_listed_with_their_hosts_to_who_may_see_them()
    {
        var host = (await Worker.GetServerAsync(place.Id, None)).Host!;
        await using var empty = await AggregatePlace.CreateAsync();
        await using var full = await AggregatePlace.CreateAsync(host);
        var listed = await Worker.ListAggregatesAsync(None);
        Assert.Empty(Assert.Single(listed, a => a.Name == empty.Name).Hosts);
        Assert.Equal([host], Assert.Single(listed, a => a.Name == full.Name).Hosts);

        var e = await FailsAsync(ErrorKind.Permission, () => Tenant.ListAggregatesAsync(None));
        Assert.Contains("listing host aggregates", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_another_tenant_has_is_not_there_and_what_is_the_operators_is_refused()
    {
        using var other = Open(CloudPlace.Tenant("B"));
        foreach (var act in new Func<Task>[]
        {
            () => other.Compute.GetServerAsync(place.Id, None), () => other.Compute.StopAsync(place.Id, None),
            () => other.Compute.SetMetadataAsync(place.Id, new Dictionary<string, string> { ["a"] = "b" }, None),
        })
        {
            await FailsAsync(ErrorKind.NotFound, act);
        }
        // Deleting what is not there is no failure; and it is still there.
        await other.Compute.DeleteServerAsync(place.Id, None);
        Assert.NotNull(await place.FindAsync(place.Id));
        var e = await FailsAsync(ErrorKind.Permission, () => other.Compute.ListServersAsync(new() { AllProjects = true }, None).ToListAsync().AsTask());
        Assert.Contains("admin", e.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_made_of_a_volume_has_no_image_and_a_deleted_one_shows_among_what_changed()
    {
        var volumes = place.Tenant.BlockStorage;
        var volume = (await volumes.CreateVolumeAsync(new NewVolume(place.Name, 1), None)).Id;
        await UntilAsync("the volume is available", async () => (await volumes.GetVolumeAsync(volume, None)).Status == "available");
        await volumes.SetBootableAsync(volume, true, None);
        var since = DateTimeOffset.UtcNow.AddMinutes(-1);
        var asked = new NewServer($"{place.Name}-bfv", place.FlavorId) { Volumes = [new ServerVolume(volume, 0, DeleteOnTermination: true)], Networks = [] };
        var id = await Tenant.CreateServerAsync(asked, None);
        try
        {
            await UntilAsync("the server is there", async () => (await Tenant.GetServerAsync(id, None)).Status is "ACTIVE" or "ERROR");
            var server = await Tenant.GetServerAsync(id, None);
            Assert.True(server.Status == "ACTIVE", $"{server.Fault}");
            Assert.Null(server.ImageId);
            Assert.Equal(new AttachedVolume(volume, true), Assert.Single(server.Volumes!));
        }
        finally
        {
            await Tenant.DeleteServerAsync(id, None);
        }
        await UntilAsync("the server shows as deleted", async () => (await Worker.ListServersAsync(new() { AllProjects = true, ChangedSince = since }, None)
            .ToListAsync()).Exists(server => server.Id == id && server.Status == "DELETED"));
        // For a moment it shows so by its id too.
        await UntilAsync("the server is not shown", async () => await place.FindAsync(id) is null);
        await FailsAsync(ErrorKind.NotFound, () => Tenant.GetServerAsync(id, None));
        await Tenant.DeleteServerAsync(id, None);
    }
}
