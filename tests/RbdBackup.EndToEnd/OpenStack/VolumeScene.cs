using RbdBackup.Ceph;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.BlockStorage;

namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>A tenant's volumes, their images, and the command as the operator has it. Leaves nothing behind.</summary>
internal sealed class VolumeScene : IAsyncDisposable
{
    /// <summary>In bytes; what tests write lies in the first so many.</summary>
    public const int Looked = 8 << 20;

    private const string Pool = "volumes";

    private readonly CephCluster _admin;
    private readonly HashSet<string> _imagesBefore;
    private readonly TimeSpan _deferment = TimeSpan.FromMinutes(Random.Shared.Next(1000, 100_000));

    // By its deferment, which no other has, a scene knows its own images in the trash.
    private VolumeScene(CephCluster admin, HashSet<string> imagesBefore, string[] settings)
    {
        (_admin, _imagesBefore) = (admin, imagesBefore);
        Sandbox = new Sandbox([.. OpenStack.Tenant.Settings(), $"restore.trash_deferment={_deferment.TotalMinutes:0}m", .. settings]);
    }

    public Tenant Tenant { get; } = OpenStack.Tenant.Of("A");

    /// <summary>The cloud as the operator sees it.</summary>
    public Tenant Service { get; } = OpenStack.Tenant.Service();

    public Sandbox Sandbox { get; }

    public static async Task<VolumeScene> BeginAsync(Mini mini, params string[] settings) =>
        new(mini.Admin, [.. await mini.Admin.ListImagesAsync(Pool, "", default)], settings);

    public static ImageSpec Image(string volume) => new(Pool, $"volume-{volume}");

    /// <summary>A volume with something in it.</summary>
    public async Task<Volume> VolumeAsync(int seed, long size = 1)
    {
        var volume = await Tenant.CreateVolumeAsync(size);
        await FillAsync(volume.Id, 0, 3 << 20, seed);
        return volume;
    }

    /// <summary>Writes as a guest would.</summary>
    public Task FillAsync(string volume, long offset, int length, int seed) => new TestImage(_admin, Image(volume)).FillAsync(offset, length, seed);

    /// <summary>What a volume holds where tests write.</summary>
    public async Task<byte[]> ReadAsync(string volume)
    {
        await using var image = await _admin.OpenAsync(Image(volume), writable: false, default);
        var data = new byte[Looked];
        await image.ReadAsync(0, data, default);
        return data;
    }

    /// <summary>A point of a volume.</summary>
    public async Task<string> BackupAsync(string volume) =>
        (await Sandbox.DoAsync("backup", "volume", volume)).GetProperty("id").GetString()!;

    /// <summary>The volume is free, its size is its image's, and nothing of a restore is left beside it.</summary>
    public async Task IsCleanAsync(string id, string status = "available")
    {
        var volume = await Service.VolumeUntilAsync(id, status);
        Assert.Equal(volume.Size << 30, (await _admin.FindAsync(Image(id), default))!.Size);
        Assert.DoesNotContain(await Service.Cloud.BlockStorage.ListAttachmentsAsync(id, default).ToListAsync(), a => a.Status == "reserved");
        await OpenStack.Tenant.UntilAsync("no image is left beside those of volumes", async () => !(await _admin.ListImagesAsync(Pool, "", default))
            .Any(n => n.StartsWith("rbdbackup.", StringComparison.Ordinal) && !_imagesBefore.Contains(n)));
    }

    public async ValueTask DisposeAsync()
    {
        await Tenant.DisposeAsync();
        await Service.DisposeAsync();
        foreach (var entry in await _admin.TrashListAsync(Pool, "", default))
        {
            if ((entry.DefermentEnd - entry.DeletedAt - _deferment).Duration() < TimeSpan.FromSeconds(20))
            {
                await _admin.TrashRemoveAsync(Pool, "", entry.ImageId, default);
            }
        }

        Sandbox.Dispose();
    }
}
