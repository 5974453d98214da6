namespace RbdBackup.EndToEnd;

/// <summary>A second Ceph, with nothing in it, for the time of a test: what is left when the first one burned.</summary>
public sealed class EmptyCluster : IAsyncDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("rbdbackup-mini-").FullName;

    private EmptyCluster()
    {
    }

    /// <summary>Its configuration, which names its monitor and keyrings.</summary>
    public string CephConf { get; private set; } = "";

    /// <summary>Starts one; the caller's first cluster runs on.</summary>
    public static async Task<EmptyCluster> StartAsync()
    {
        var cluster = new EmptyCluster();
        try
        {
            await cluster.MiniAsync("up", "ceph");
            cluster.CephConf = (await Tool.BashAsync("eval \"$(MINI_HOME=$1 \"$2\" env)\"; echo \"$CEPH_CONF\"", cluster._home, Script)).Trim();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Has its servers answer nobody; clients that are connected wait, others are refused nothing and told nothing.</summary>
    public Task StopAsync() => SignalAsync("STOP");

    /// <summary>Has them answer again.</summary>
    public Task ContinueAsync() => SignalAsync("CONT");

    public async ValueTask DisposeAsync()
    {
        await MiniAsync("down", "--wipe");
        if (Directory.Exists(_home))
        {
            Directory.Delete(_home, recursive: true);
        }
    }

    /// <summary>The servers are those that carry its mark in their environment.</summary>
    private Task<string> SignalAsync(string signal) => Tool.BashAsync(
        "for p in $(grep -lzE \"^MINI_DAEMON=$1:(mon|mgr|osd)$\" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do kill -$2 $p; done", _home, signal);

    private static string Script { get; } = TopFolder.Of("devstack/mini/mini");

    private Task<string> MiniAsync(params string[] arguments) => Tool.RunAsync("env", [$"MINI_HOME={_home}", Script, .. arguments]);
}
