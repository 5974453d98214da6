using System.Globalization;
using Xunit.Abstractions;

namespace RbdBackup.EndToEnd.Chaos;

/// <summary>
/// What the Core's chaos does a thousand times with images in arrays, some times with images of the real cluster and the commands as operators have them: backup,
/// rotate, prune, gc, compact, consolidate, copy, pin, export, restore and verify at the same time. RBDBACKUP_SEED plays one again, as far as threads let it.
/// </summary>
public sealed class ChaosTests(Mini mini, ITestOutputHelper output) : IClassFixture<Mini>
{
    private const int Rounds = 6;

    [Fact]
    public async Task Commands_that_run_at_the_same_time_lose_no_point_at_either_site()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("RBDBACKUP_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        output.WriteLine($"RBDBACKUP_SEED={seed}");
        await using var world = await World.BeginAsync(mini, seed);
        try
        {
            for (var round = 0; round < Rounds; round++)
            {
                await world.RunRoundAsync(round);
            }

            await world.EndAsync();
        }
        catch
        {
            world.Log.ForEach(output.WriteLine);
            throw;
        }
    }
}
