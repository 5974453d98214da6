using RbdBackup.Core.Model;

namespace RbdBackup.Ceph.Tests;

[Collection(nameof(CephCollection))]
public sealed class ImageInfoTests(CephFixture ceph)
{
    private const int Mib = 1 << 20;

    /// <summary>Layouts of every kind that an image can have; what librbd adds by itself (striping, data pool) is in the features that are
    /// read back.</summary>
    public static TheoryData<ImageLayout> Layouts =>
    [
        CephFixture.UsualLayout,
        CephFixture.UsualLayout with { Features = 1 },
        CephFixture.UsualLayout with { Order = 23, StripeUnit = 8 << 20 },
        CephFixture.UsualLayout with { StripeUnit = 64 << 10, StripeCount = 8, Features = CephFixture.UsualLayout.Features | (1 << 1) },
        CephFixture.UsualLayout with { DataPool = "volumes", Features = CephFixture.UsualLayout.Features | (1 << 7) },
    ];

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task An_image_is_as_it_was_made(ImageLayout layout)
    {
        await using var test = await ceph.CreateImageAsync(10 * Mib, layout);
        await using var image = await test.OpenAsync(writable: false);

        var info = await image.GetInfoAsync(default);

        Assert.Equal(layout, info.Layout);
        Assert.Equal((10L * Mib, 0UL, null, false, false), (info.Size, info.Flags, info.Parent, info.Migrating, info.MirrorNonPrimary));
        Assert.Equal(await ceph.Backup.GetPoolIdAsync(CephFixture.Pool, default), info.PoolId);
        Assert.Equal((await ceph.Backup.FindAsync(test.Spec, default))!.ImageId, info.ImageId);
        Assert.Empty(info.Snapshots);
    }

    [Fact]
    public async Task Passing_states_in_the_features_do_not_stand_in_the_way_of_making_it_again()
    {
        const ulong Operations = 1 << 8, Migrating = 1 << 9, NonPrimary = 1 << 10;
        var found = CephFixture.UsualLayout with { Features = CephFixture.UsualLayout.Features | Operations | Migrating | NonPrimary };
        await using var test = await ceph.CreateImageAsync(Mib, found);
        await using var image = await test.OpenAsync(writable: false);

        Assert.Equal(CephFixture.UsualLayout, (await image.GetInfoAsync(default)).Layout);
    }

    [Fact]
    public async Task Info_follows_snapshots_sizes_and_names_that_change_after_the_opening()
    {
        await using var test = await ceph.CreateImageAsync(4 * Mib);
        await using var watched = await test.OpenAsync(writable: false);
        await using (var other = await test.OpenAsync())
        {
            await other.CreateSnapshotAsync("s", default);
            await other.ResizeAsync(8 * Mib, default);
        }

        var info = await watched.GetInfoAsync(default);

        Assert.Equal((8L * Mib, 1), (info.Size, info.Snapshots.Count));
    }

    [Fact]
    public async Task Maps_that_can_t_be_trusted_are_seen_on_the_head_and_on_each_snapshot()
    {
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await using var image = await test.OpenAsync();
        await image.CreateSnapshotAsync("one", default);
        await Shell.RbdAsync("feature", "disable", test.Spec.ToString(), "fast-diff,object-map");
        await Shell.RbdAsync("feature", "enable", test.Spec.ToString(), "object-map,fast-diff");

        var info = await image.GetInfoAsync(default);
        Assert.NotEqual(0UL, info.Flags);
        Assert.True(Assert.Single(info.Snapshots).MapInvalid);

        await Shell.RbdAsync("object-map", "rebuild", test.Spec.ToString());
        info = await image.GetInfoAsync(default);
        Assert.Equal(0UL, info.Flags);
        Assert.True(Assert.Single(info.Snapshots).MapInvalid);
    }

    [Fact]
    public async Task A_clone_names_its_parent_and_how_much_of_it_shows()
    {
        await using var parent = await ceph.CreateImageAsync(8 * Mib);
        ulong golden;
        await using (var image = await parent.OpenAsync())
        {
            golden = await image.CreateSnapshotAsync("golden", default);
        }

        var spec = parent.Spec.WithName(CephFixture.NewName());
        await Shell.RbdAsync("clone", "--rbd-default-clone-format", "2", $"{parent.Spec}@golden", spec.ToString());
        await using (var clone = new TestImage(ceph, spec))
        await using (var image = await clone.OpenAsync())
        {
            await image.ResizeAsync(4 * Mib, default);
            var found = (await image.GetInfoAsync(default)).Parent;

            Assert.Equal(
                new ImageParent(
                    await ceph.Backup.GetPoolIdAsync(CephFixture.Pool, default), CephFixture.Pool, "",
                    (await ceph.Backup.FindAsync(parent.Spec, default))!.ImageId, parent.Spec.Name, golden, "golden", 4 * Mib),
                found);
        }

        await Shell.RbdAsync("snap", "ls", "--all", parent.Spec.ToString());
    }

    [Fact]
    public async Task A_snapshot_held_by_a_clone_after_its_removal_is_in_the_trash_namespace()
    {
        await using var parent = await ceph.CreateImageAsync(8 * Mib);
        await using var image = await parent.OpenAsync();
        var golden = await image.CreateSnapshotAsync("golden", default);
        var clone = parent.Spec.WithName(CephFixture.NewName());
        await Shell.RbdAsync("clone", "--rbd-default-clone-format", "2", $"{parent.Spec}@golden", clone.ToString());
        await using (new TestImage(ceph, clone))
        {
            await image.RemoveSnapshotAsync(golden, default);

            var held = Assert.Single((await image.GetInfoAsync(default)).Snapshots);
            Assert.Equal((golden, SnapshotNamespace.Trash), (held.Id, held.Namespace));
        }
    }

    [Fact]
    public async Task An_image_under_migration_says_so()
    {
        await using var test = await ceph.CreateImageAsync(8 * Mib);
        await Shell.RbdAsync("migration", "prepare", test.Spec.ToString(), test.Spec.ToString());
        try
        {
            await using var image = await test.OpenAsync(writable: false);
            Assert.True((await image.GetInfoAsync(default)).Migrating);
        }
        finally
        {
            await Shell.RbdAsync("migration", "abort", test.Spec.ToString());
        }
    }

    [Fact]
    public async Task A_namespace_of_a_pool_has_images_of_its_own_and_a_mirror_in_it_says_when_it_is_not_primary()
    {
        var @namespace = CephFixture.NewName();
        await Shell.RbdAsync("namespace", "create", $"{CephFixture.Pool}/{@namespace}");
        try
        {
            await using var test = await ceph.CreateImageAsync(8 * Mib, @namespace: @namespace);
            Assert.Equal([test.Spec.Name], await ceph.Backup.ListImagesAsync(CephFixture.Pool, @namespace, default));
            await Shell.RbdAsync("mirror", "pool", "enable", $"{CephFixture.Pool}/{@namespace}", "image");
            await Shell.RbdAsync("mirror", "image", "enable", test.Spec.ToString(), "journal");
            Assert.False(await IsNonPrimaryAsync(test));

            await Shell.RbdAsync("mirror", "image", "demote", test.Spec.ToString());
            Assert.True(await IsNonPrimaryAsync(test));

            await Shell.RbdAsync("mirror", "image", "disable", "--force", test.Spec.ToString());
        }
        finally
        {
            await Shell.RbdAsync("mirror", "pool", "disable", $"{CephFixture.Pool}/{@namespace}");
            await Shell.RbdAsync("namespace", "remove", $"{CephFixture.Pool}/{@namespace}");
        }
    }

    private static async Task<bool> IsNonPrimaryAsync(TestImage test)
    {
        await using var image = await test.OpenAsync(writable: false);
        return (await image.GetInfoAsync(default)).MirrorNonPrimary;
    }
}
