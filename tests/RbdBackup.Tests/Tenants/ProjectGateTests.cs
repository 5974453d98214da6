using RbdBackup.Configuration;
using RbdBackup.Tenants;

namespace RbdBackup.Tests.Tenants;

/// <summary>What was asked for and is no point yet counts too.</summary>
public sealed class ProjectGateTests
{
    [Fact]
    public async Task Nothing_is_allowed_before_the_points_were_counted_and_wishes_count_as_points()
    {
        var gate = new ProjectGate(null!, Limits with { MaxPoints = 2 }, TimeProvider.System);
        var first = gate.WhyNoMoreAsync("a", default);
        await Task.Delay(50);
        Assert.False(first.IsCompleted);
        gate.Saw([], DateTimeOffset.UtcNow);
        Assert.Null(await first);
        Assert.Null(await gate.WhyNoMoreAsync("a", default));
        Assert.Equal("the project has 2 points of 2", await gate.WhyNoMoreAsync("a", default));
        Assert.Null(await gate.WhyNoMoreAsync("b", default));
        gate.Saw([], DateTimeOffset.UtcNow);
        Assert.Null(await gate.WhyNoMoreAsync("a", default));
    }

    [Fact]
    public async Task Without_a_limit_nobody_waits_and_without_a_tag_every_project_may()
    {
        var gate = new ProjectGate(null!, Limits, TimeProvider.System);
        Assert.Null(await gate.WhyNoMoreAsync("a", default));
        Assert.Null(await gate.WhyNotAsync("a", default));
    }

    private static TenantsSettings Limits => ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings.Tenants;
}
