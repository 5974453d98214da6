using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

/// <summary>What every Swift service promises beyond the contract of all stores.</summary>
public abstract class SwiftContract : StoreContract
{
    private static readonly ParallelOptions Many = new() { MaxDegreeOfParallelism = 16 };

    protected string Prefix { get; } = $"stores-test/{Guid.NewGuid():N}";

    protected static CancellationToken None => CancellationToken.None;

    protected override bool KeysMayNest => true;

    protected abstract IObjectStore OpenStore(string prefix, string? container = null, string? secret = null);

    protected override Task<IObjectStore> OpenEmptyAsync() => Task.FromResult(OpenStore(Prefix));

    public override async Task DisposeAsync()
    {
        await Parallel.ForEachAsync(Store.ListAsync("", None), Many, async (left, cancel) => await Store.DeleteAsync(left.Key, cancel));
        await Store.DisposeAsync();
    }

    [Fact]
    public async Task A_prefix_keeps_two_repositories_apart()
    {
        await Store.PutAsync("k", new(Bytes(1)), None);
        await using var neighbour = OpenStore(Prefix[..^1]);
        Assert.Empty(await neighbour.ListAsync("", None).ToListAsync());
        await using var parent = OpenStore(Path.GetDirectoryName(Prefix)!);
        Assert.NotNull(await parent.StatAsync($"{Path.GetFileName(Prefix)}/k", None));
    }

    [Fact]
    public async Task A_missing_container_is_named()
    {
        await using var store = OpenStore("", container: "no-such-container");
        foreach (var act in new Func<Task>[]
        {
            () => store.CheckAsync(None), () => store.PutAsync("k", new(Bytes(1)), None), () => store.GetAsync("k", 1, None),
            () => store.PutAsync("k", new(Bytes(5_000_000)), None), () => store.ListAsync("", None).ToListAsync().AsTask(),
        })
        {
            var e = await FailsAsync(ErrorKind.NotFound, act);
            Assert.Contains("'no-such-container'", e.Message, StringComparison.Ordinal);
            Assert.Contains("no such container", e.Message, StringComparison.Ordinal);
            Assert.Contains("container create", e.Remedy, StringComparison.Ordinal);
        }
        await store.DeleteAsync("k", None);
    }

    [Fact]
    public async Task A_wrong_secret_is_refused_without_being_shown()
    {
        await using var store = OpenStore(Prefix, secret: "a-wrong-secret");
        foreach (var act in new Func<Task>[]
        {
            () => store.CheckAsync(None), () => store.PutAsync("k", new(Bytes(1)), None), () => store.StatAsync("k", None),
            () => store.DeleteAsync("k", None), () => store.ListAsync("", None).ToListAsync().AsTask(),
        })
        {
            var e = await FailsAsync(ErrorKind.Permission, act);
            Assert.DoesNotContain("a-wrong-secret", e.ToString(), StringComparison.Ordinal);
        }
    }
}
