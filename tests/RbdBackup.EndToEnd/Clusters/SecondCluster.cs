using RbdBackup.Ceph;
using RbdBackup.Core.Model;

namespace RbdBackup.EndToEnd.Clusters;

/// <summary>Two real clusters: mini's, and one beside it for the time of a class of tests.</summary>
public sealed class SecondCluster : IAsyncLifetime
{
    private EmptyCluster _second = null!;
    private CephCluster _admin = null!;

    /// <summary>What the configuration calls it.</summary>
    public static string Name => "second";

    /// <summary>The second one's configuration.</summary>
    public string CephConf => _second.CephConf;

    /// <summary>The default cluster.</summary>
    public Mini Mini { get; } = new();

    public async Task InitializeAsync()
    {
        await Mini.InitializeAsync();
        _second = await EmptyCluster.StartAsync();
        _admin = await ConnectAsync();
    }

    public async Task DisposeAsync()
    {
        await _admin.DisposeAsync();
        await _second.DisposeAsync();
        await Mini.DisposeAsync();
    }

    /// <summary>A configuration with both.</summary>
    public Sandbox NewSandbox(params string[] settings) => new([$"ceph:{Name}.conf={_second.CephConf}", $"ceph:{Name}.cluster=ceph", .. settings]);

    /// <summary>A new image in the second cluster, which it takes along.</summary>
    public async Task<TestImage> CreateAsync(long size, string? name = null)
    {
        var image = Existing(new ImageSpec($"{Name}:vms", name ?? Mini.NewName()));
        await _admin.CreateAsync(image.Spec, size, Mini.SmallObjects, default);
        return image;
    }

    /// <summary>The second one, as its owner sees it.</summary>
    public CephCluster Admin => _admin;

    /// <summary>An image of the second cluster's.</summary>
    public TestImage Existing(ImageSpec spec) => new(_admin, spec);

    /// <summary>The state objects in a namespace of the second cluster's.</summary>
    public async Task<IReadOnlyList<string>> StateAsync(string ns) =>
        (await Tool.BashAsync("rados -c \"$1\" --name client.admin -p rbdbackup -N \"$2\" ls", _second.CephConf, ns)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Work while none of its servers answers.</summary>
    public async Task WhileDownAsync(Func<Task> work)
    {
        await _second.StopAsync();
        try
        {
            await work();
        }
        finally
        {
            await _second.ContinueAsync();
        }
    }

    private Task<CephCluster> ConnectAsync() =>
        CephCluster.ConnectAsync(new CephOptions { Name = Name, ConfFile = _second.CephConf, User = "client.admin" }, default);
}
