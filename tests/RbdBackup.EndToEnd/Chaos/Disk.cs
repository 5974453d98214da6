namespace RbdBackup.EndToEnd.Chaos;

/// <summary>An image whose guest writes between two rounds only: what it holds in a round is what every point of that round gives back.</summary>
internal sealed class Disk(TestImage image) : IAsyncDisposable
{
    private ulong? _snapshot;

    public string Name { get; } = image.ToString();

    /// <summary>What it holds now.</summary>
    public byte[] Content { get; private set; } = [];

    /// <summary>What a guest does in a day: writes, zeros, discards; sometimes all of it is rolled back.</summary>
    public async Task ChangeAsync(Random random)
    {
        var size = (await image.InfoAsync()).Size;
        for (var n = random.Next(1, 6); n > 0; n--)
        {
            var at = random.NextInt64(size - 1);
            var length = (int)Math.Min(size - at, random.Next(3) == 0 ? random.Next(1, 1 << 20) : random.Next(1, 9) << 12);
            await (random.Next(6) switch
            {
                0 => image.ZeroAsync(at, length),
                1 => image.DiscardAsync(at, length),
                _ => image.FillAsync(at, length, random.Next()),
            });
        }

        if (_snapshot is not { } snapshot)
        {
            _snapshot = await image.SnapshotAsync("foreign");
        }
        else if (random.Next(3) == 0)
        {
            await image.RollbackAsync(snapshot);
            await image.RemoveSnapshotAsync(snapshot);
            _snapshot = null;
        }

        Content = await image.ReadAsync();
    }

    public ValueTask DisposeAsync() => image.DisposeAsync();
}
