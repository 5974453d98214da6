namespace RbdBackup.EndToEnd.OpenStack;

/// <summary>The DevStack plugin, with the command that `make build` left.</summary>
[Trait("Needs", "OpenStack")]
public sealed class PluginTests
{
    [Fact]
    public async Task Every_phase_of_the_plugin_does_its_part_twice_and_nothing_is_left()
    {
        var output = await Tool.RunAsync("env", $"RBDBACKUP_BIN={Mini.Command}", TopFolder.Of("devstack/check-plugin"));
        Assert.EndsWith("done", output.TrimEnd(), StringComparison.Ordinal);
    }
}
