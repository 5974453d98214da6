using System.Net.Http.Json;
using System.Text.Json.Nodes;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;
using RbdBackup.OpenStack.Cloud;
using static RbdBackup.OpenStack.Tests.Cloud.CloudPlace;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>Volumes and snapshots of a real Cinder: a tenant's, as it and as the worker's user see them.</summary>
[Trait("Needs", "OpenStack")]
public sealed class BlockStorageTests : IAsyncLifetime
{
    private readonly string _run = $"clients-{Guid.NewGuid():N}";
    private readonly OpenStackCloud _tenant = Open(Tenant());
    private readonly OpenStackCloud _worker = Open(Service());
    private readonly List<string> _volumes = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var id in _volumes)
        {
            await _tenant.BlockStorage.DeleteVolumeAsync(id, None);
        }
        foreach (var id in _volumes)
        {
            await UntilAsync("the volume is gone", async () => await FindAsync(id) is null);
        }
        _tenant.Dispose();
        _worker.Dispose();
    }

    [Fact]
    public async Task A_volume_is_shown_with_all_that_we_ask_of_it()
    {
        var volume = await MakeAsync(new NewVolume(_run, 1) { Metadata = new Dictionary<string, string> { ["backup_policy"] = "daily" }, Description = "a test's" });
        Assert.Equal((_run, "a test's", 1L, false, false), (volume.Name, volume.Description, volume.Size, volume.Encrypted, volume.Multiattach));
        Assert.Equal("daily", Assert.Single(volume.Metadata).Value);
        Assert.Null(volume.Host);
        Assert.InRange(volume.CreatedAt!.Value, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5));

        var seen = await _worker.BlockStorage.GetVolumeAsync(volume.Id, None);
        Assert.Matches("^.+@.+#.+$", seen.Host);
        Assert.Equal(volume.ProjectId, seen.ProjectId);
        Assert.Null(seen.NameId);
    }

    [Fact]
    public async Task Metadata_is_set_and_deleted_key_by_key()
    {
        var id = (await MakeAsync(new NewVolume(_run, 1))).Id;
        await _worker.BlockStorage.SetMetadataAsync(id, Pairs(("a key: 1.2", "one"), ("other", "ü € '\"")), None);
        await _worker.BlockStorage.SetMetadataAsync(id, Pairs(("a key: 1.2", "two")), None);
        Assert.Equal(Pairs(("a key: 1.2", "two"), ("other", "ü € '\"")), Sorted((await _tenant.BlockStorage.GetVolumeAsync(id, None)).Metadata));

        await _worker.BlockStorage.DeleteMetadataAsync(id, "a key: 1.2", None);
        // Again: it is gone, and that is what was wanted.
        await _worker.BlockStorage.DeleteMetadataAsync(id, "a key: 1.2", None);
        Assert.Equal("other", Assert.Single((await _tenant.BlockStorage.GetVolumeAsync(id, None)).Metadata).Key);
        await FailsAsync(ErrorKind.Usage, () => _worker.BlockStorage.SetMetadataAsync(id, Pairs(("long", new string('x', 300))), None));
    }

    [Fact]
    public async Task Bootable_and_image_metadata_are_set()
    {
        var id = (await MakeAsync(new NewVolume(_run, 1))).Id;
        await _tenant.BlockStorage.SetBootableAsync(id, true, None);
        await _tenant.BlockStorage.SetImageMetadataAsync(id, Pairs(("os_type", "linux"), ("hw_disk_bus", "virtio")), None);
        var volume = await _tenant.BlockStorage.GetVolumeAsync(id, None);
        Assert.True(volume.Bootable);
        Assert.Equal(Pairs(("hw_disk_bus", "virtio"), ("os_type", "linux")), Sorted(volume.VolumeImageMetadata!));
    }

    [Fact]
    public async Task A_volume_is_held_attached_and_given_back()
    {
        var id = (await MakeAsync(new NewVolume(_run, 1))).Id;
        var attachment = await _tenant.BlockStorage.CreateAttachmentAsync(id, null, null, None);
        Assert.Equal(("reserved", id, null), (attachment.Status, attachment.VolumeId, attachment.ServerId));
        Assert.Equal("reserved", (await _tenant.BlockStorage.GetVolumeAsync(id, None)).Status);
        // Nobody deletes or takes it meanwhile.
        await FailsAsync(ErrorKind.Busy, () => _tenant.BlockStorage.DeleteVolumeAsync(id, None));
        await FailsAsync(ErrorKind.Busy, () => _tenant.BlockStorage.CreateAttachmentAsync(id, null, null, None));

        Assert.Equal((attachment.Id, "reserved"), await _tenant.BlockStorage.ListAttachmentsAsync(id, None).Select(a => (a.Id, a.Status)).SingleAsync());
        await _tenant.BlockStorage.UpdateAttachmentAsync(attachment.Id, Connector(), None);
        await _tenant.BlockStorage.CompleteAttachmentAsync(attachment.Id, None);
        Assert.Equal("attached", (await _tenant.BlockStorage.GetAttachmentAsync(attachment.Id, None)).Status);
        var volume = await _tenant.BlockStorage.GetVolumeAsync(id, None);
        Assert.Equal("in-use", volume.Status);
        Assert.Equal((attachment.Id, "/dev/vdz"), (volume.Attachments.Single().AttachmentId, volume.Attachments.Single().Device));

        await _tenant.BlockStorage.DeleteAttachmentAsync(attachment.Id, None);
        await _tenant.BlockStorage.DeleteAttachmentAsync(attachment.Id, None);
        Assert.Equal("available", (await _tenant.BlockStorage.GetVolumeAsync(id, None)).Status);
    }

    [Fact]
    public async Task Listings_go_page_by_page_on_through_what_is_deleted_meanwhile()
    {
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            made.Add((await MakeAsync(new NewVolume($"{_run}-{i}", 1))).Id);
        }
        using var paging = Open(Tenant(), pageSize: 2);
        // Each once; others may have some too.
        var listed = await paging.BlockStorage.ListVolumesAsync(new(), None).Select(volume => volume.Id).Where(made.Contains).ToListAsync();
        Assert.Equal(made.Order(), listed.Order());

        using var seeing = Open(Service(), pageSize: 2);
        var all = await seeing.BlockStorage.ListVolumesAsync(new() { AllProjects = true }, None).Select(volume => volume.Id).ToListAsync();
        Assert.Subset(all.ToHashSet(), made.ToHashSet());
        Assert.DoesNotContain(await seeing.BlockStorage.ListVolumesAsync(new(), None).Select(volume => volume.Id).ToListAsync(), made.Contains);
        Assert.Equal(made[3], (await _worker.BlockStorage.ListVolumesAsync(new() { AllProjects = true, Name = $"{_run}-3" }, None).SingleAsync()).Id);

        // The last of a page is where the next one begins.
        var seen = new List<string>();
        string? gone = null;
        await foreach (var volume in paging.BlockStorage.ListVolumesAsync(new(), None))
        {
            seen.Add(volume.Id);
            if (gone is null && seen.Count % 2 == 0 && made.Contains(volume.Id))
            {
                gone = volume.Id;
                await _tenant.BlockStorage.DeleteVolumeAsync(gone, None);
                await UntilAsync("the volume is gone", async () => await FindAsync(gone) is null);
            }
        }
        Assert.NotNull(gone);
        // Nothing is left of what was listed: the end is found all the same.
        var name = $"{_run}-{made.FindIndex(id => id != gone)}";
        var left = new List<string>();
        await foreach (var volume in paging.BlockStorage.ListVolumesAsync(new() { Name = name }, None))
        {
            left.Add(volume.Id);
            await _tenant.BlockStorage.DeleteVolumeAsync(volume.Id, None);
            await UntilAsync("the volume is gone", async () => await FindAsync(volume.Id) is null);
        }
        Assert.Single(left);
        Assert.Equal(made.Order(), seen.Where(made.Contains).Order());
    }

    [Fact]
    public async Task Snapshots_are_shown_and_listed_by_volume()
    {
        var id = (await MakeAsync(new NewVolume(_run, 1))).Id;
        using var raw = await RawAsync();
        using var body = Json(new { snapshot = new { volume_id = id, name = _run, metadata = new { backup = "yes" } } });
        using var answer = await raw.PostAsync("snapshots", body);
        var made = (string)(await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonNode>())!["snapshot"]!["id"]!;
        await UntilAsync("the snapshot is available", async () => (await _tenant.BlockStorage.GetSnapshotAsync(made, None)).Status == "available");

        var snapshot = await _worker.BlockStorage.ListSnapshotsAsync(new() { AllProjects = true, VolumeId = id }, None).SingleAsync();
        Assert.Equal((made, id, _run, 1L), (snapshot.Id, snapshot.VolumeId, snapshot.Name, snapshot.Size));
        Assert.Equal("yes", snapshot.Metadata["backup"]);
        Assert.Equal((await _tenant.BlockStorage.GetVolumeAsync(id, None)).ProjectId, snapshot.ProjectId);

        (await raw.DeleteAsync($"snapshots/{made}")).EnsureSuccessStatusCode();
        await UntilAsync("the snapshot is gone", async () => !await _worker.BlockStorage.ListSnapshotsAsync(new() { AllProjects = true, VolumeId = id }, None).AnyAsync());
        await FailsAsync(ErrorKind.NotFound, () => _tenant.BlockStorage.GetSnapshotAsync(made, None));
    }

    [Fact]
    public async Task A_quota_that_is_used_up_another_tenants_volume_and_one_that_is_not_there_are_told_apart()
    {
        var e = await FailsAsync(ErrorKind.NoSpace, () => _tenant.BlockStorage.CreateVolumeAsync(new NewVolume(_run, 1_000_000), None));
        Assert.Contains("quota", e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Matches(@"\(req-[0-9a-f-]+\)", e.Message);

        var id = (await MakeAsync(new NewVolume(_run, 1))).Id;
        using var other = Open(Tenant("B"));
        await FailsAsync(ErrorKind.NotFound, () => other.BlockStorage.GetVolumeAsync(id, None));
        await FailsAsync(ErrorKind.NotFound, () => other.BlockStorage.SetMetadataAsync(id, Pairs(("a", "b")), None));
        await FailsAsync(ErrorKind.NotFound, () => _worker.BlockStorage.GetVolumeAsync(Guid.NewGuid().ToString(), None));
        await FailsAsync(ErrorKind.NotFound, () => _worker.BlockStorage.GetVolumeAsync($"{id}/../{id}?all_tenants=1#x", None));
        // What tenants ask of all projects is answered with their own.
        Assert.DoesNotContain(await other.BlockStorage.ListVolumesAsync(new() { AllProjects = true }, None).Select(volume => volume.Id).ToListAsync(), id.Equals);
    }

    private async Task<Volume> MakeAsync(NewVolume asked)
    {
        var volume = await _tenant.BlockStorage.CreateVolumeAsync(asked, None);
        _volumes.Add(volume.Id);
        Assert.Equal("creating", volume.Status);
        await UntilAsync("the volume is available", async () => (volume = await _tenant.BlockStorage.GetVolumeAsync(volume.Id, None)).Status == "available");
        return volume;
    }

    private async Task<Volume?> FindAsync(string id)
    {
        try
        {
            return await _tenant.BlockStorage.GetVolumeAsync(id, None);
        }
        catch (RbdBackupException e) when (e.Kind == ErrorKind.NotFound)
        {
            return null;
        }
    }

    private static async Task<HttpClient> RawAsync()
    {
        var (client, token) = await LogInAsync(Tenant());
        var raw = new HttpClient { BaseAddress = new($"{Setting("RBDBACKUP_TEST_CINDER_URL")}/{token["project"]!["id"]}/") };
        raw.DefaultRequestHeaders.Add("X-Auth-Token", client.DefaultRequestHeaders.GetValues("X-Auth-Token"));
        client.Dispose();
        return raw;
    }

    private static JsonObject Connector() => new() { ["host"] = "rbdbackup-test", ["ip"] = "127.0.0.1", ["mountpoint"] = "/dev/vdz", ["initiator"] = "x", ["multipath"] = false };

    private static SortedDictionary<string, string> Sorted(IReadOnlyDictionary<string, string> pairs) => new(pairs.ToDictionary());

    private static SortedDictionary<string, string> Pairs(params (string Key, string Value)[] pairs) => new(pairs.ToDictionary(pair => pair.Key, pair => pair.Value));
}
