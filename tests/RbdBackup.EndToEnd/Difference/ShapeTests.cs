using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd.Difference;

/// <summary>Images of every shape come back byte for byte, full and increments.</summary>
public sealed class ShapeTests(Mini mini) : IClassFixture<Mini>
{
    private const int Mib = 1 << 20, Kib = 1 << 10;

    public static TheoryData<string, long, ImageLayout> Shapes => new()
    {
        { "odd size", (9L * Mib) + 512, Mini.Layout(20) },
        { "order 16", 8L * Mib, Mini.SmallObjects },
        { "order 25", 70L * Mib, Mini.Layout(25) },
        { "striped", (12L * Mib) + (64 * Kib), Mini.Layout(18) with { StripeUnit = 32 * Kib, StripeCount = 5 } },
        { "data pool", 8L * Mib, Mini.Layout(20) with { DataPool = "volumes" } },
        { "no object map", 8L * Mib, Mini.Layout(20) with { Features = Mini.WithoutMaps } },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public async Task Full_and_increments_give_the_source_s_bytes(string shape, long size, ImageLayout layout)
    {
        Assert.NotEmpty(shape);
        await using var scene = new Scene(await mini.CreateAsync(size, layout));
        await scene.Image.FillAsync(Mib + 123, 3 * Mib, 1);
        await scene.Image.FillAsync(size - 700, 700, 2);
        await scene.FullAsync("the first point");
        await scene.Image.FillAsync((2 * Mib) + 4096, 4096, 3);
        await scene.Image.ZeroAsync(3 * Mib, 300 * Kib);
        await scene.IncrementAsync();
        await scene.Image.DiscardAsync(Mib, Mib);
        await scene.Image.FillAsync(5 * Mib, 5000, 4);
        await scene.IncrementAsync();
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task What_was_switched_off_on_an_image_since_stays_off_when_it_is_restored()
    {
        await using var scene = new Scene(await mini.CreateAsync(8 * Mib, Mini.Layout(20)));
        await scene.Image.FillAsync(Mib, Mib, 1);
        await scene.FullAsync("the first point");
        await Tool.RbdAsync("feature", "disable", $"{scene.Image.Spec}", "fast-diff", "object-map", "exclusive-lock");

        // As Cinder does with a volume that several servers may write to.
        var off = (await scene.Image.InfoAsync()).Layout;
        await scene.Sandbox.DoAsync("restore", scene.Points[0].Point, "--replace");
        Assert.Equal(off, (await scene.Image.InfoAsync()).Layout);
        await scene.Sandbox.DoAsync("restore", "--undo", $"{scene.Image.Spec}");
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task An_empty_image_and_one_that_was_never_written_to()
    {
        await using var empty = new Scene(await mini.CreateAsync(0));
        await empty.FullAsync("the first point");
        await empty.Image.ResizeAsync(Mib);
        await empty.IncrementAsync();
        await empty.Image.FillAsync(0, 5000, 1);
        await empty.IncrementAsync();
        await empty.CheckAllAsync(mini);
    }

    [Fact]
    public async Task Sizes_grow_and_shrink_also_between_two_points()
    {
        await using var scene = new Scene(await mini.CreateAsync(4 * Mib));
        await scene.Image.FillAsync(0, 4 * Mib, 1);
        await scene.BackupAsync();
        await scene.Image.ResizeAsync(8 * Mib);
        await scene.Image.FillAsync(7 * Mib, Mib, 2);
        await scene.IncrementAsync();
        await scene.Image.ResizeAsync((3 * Mib) + 1000);
        await scene.FullAsync("the image shrank");
        await scene.Image.ResizeAsync(Mib + 5000);
        await scene.Image.ResizeAsync(6 * Mib);
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
    }

    [Fact]
    public async Task A_clone_is_stored_with_its_parent_s_data_and_a_flatten_makes_a_full()
    {
        await using var parent = await mini.CreateAsync(8 * Mib);
        await parent.FillAsync(0, 6 * Mib, 1);
        var golden = await parent.SnapshotAsync("golden");
        var name = parent.Spec.WithName(Mini.NewName());
        await Tool.RbdAsync("clone", "--rbd-default-clone-format", "2", $"{parent}@golden", $"{name}");
        await using var scene = new Scene(mini.Existing(name));
        await scene.FullAsync("the first point");
        await scene.Image.FillAsync(Mib + 4096, 4096, 2);
        await scene.IncrementAsync();
        await scene.Image.ZeroAsync(2 * Mib, Mib);
        await scene.Image.DiscardAsync(4 * Mib, Mib);
        await scene.IncrementAsync();
        await Tool.RbdAsync("flatten", "--no-progress", $"{name}");
        await scene.FullAsync("parent changed");
        await scene.Image.FillAsync(5 * Mib, 4096, 3);
        await scene.IncrementAsync();
        await scene.CheckAllAsync(mini);
        Assert.NotEqual(0UL, golden);
    }

    [Fact]
    public async Task An_image_in_a_namespace()
    {
        var ns = Mini.NewName();
        await Tool.RbdAsync("namespace", "create", "--pool", "vms", "--namespace", ns);
        try
        {
            await using var scene = new Scene(await mini.CreateAsync(4 * Mib, @namespace: ns));
            await scene.Image.FillAsync(0, Mib, 1);
            await scene.BackupAsync();
            await scene.Image.FillAsync(Mib, 4096, 2);
            await scene.IncrementAsync();
            await scene.CheckAllAsync(mini);
        }
        finally
        {
            await Tool.RbdAsync("namespace", "remove", "--pool", "vms", "--namespace", ns);
        }
    }

    [Fact]
    public async Task An_increment_holds_what_changed()
    {
        const int Writes = 300, Size = 64 * Mib;
        await using var scene = new Scene(await mini.CreateAsync(Size, Mini.Layout(22)));
        await scene.Image.FillAsync(0, Size / 2, 1);
        await scene.BackupAsync();
        var random = new Random(2);
        var blocks = new HashSet<int>();
        while (blocks.Count < Writes)
        {
            blocks.Add(random.Next(Size / 4096));
        }

        await scene.Image.UseAsync(async image =>
        {
            foreach (var block in blocks)
            {
                await image.WriteAsync(block * 4096L, TestImage.RandomBytes(4096, block), default);
            }
        });
        var document = await scene.BackupAsync();
        Assert.Equal("increment", document.GetProperty("kind").GetString());
        Assert.InRange(document.GetProperty("stored_bytes").GetInt64(), Writes * 4096L, Writes * 4096L * 12 / 10);
        await scene.CheckAllAsync(mini);
    }
}
