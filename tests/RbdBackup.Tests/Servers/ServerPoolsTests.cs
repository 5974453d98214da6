using Microsoft.Extensions.Logging;
using RbdBackup.Http.Keystone;
using RbdBackup.OpenStack.Cloud;
using RbdBackup.OpenStack.Compute;
using RbdBackup.Servers;

namespace RbdBackup.Tests.Servers;

/// <summary>Where a server's disks may be, with a real Nova that is asked for its aggregates.</summary>
public sealed class ServerPoolsTests : IDisposable
{
    private static readonly string[] Both = ["vms", "ssd:vms"];

    private readonly ConfigFolder _folder = new();
    private readonly Clock _clock = new();
    private readonly Lines _log = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [Trait("Needs", "OpenStack")]
    [InlineData("TENANT_A", "Nova does not show them to us")]
    [InlineData("SERVICE", "Nova has no aggregate not-there")]
    public async Task Aggregates_that_say_nothing_are_warned_of_once_and_names_still_count(string who, string warning)
    {
        using var cloud = Open(who);
        var pools = Pools("[ceph]\nhosts = a*\n[ceph:ssd]\naggregates = not-there\n", cloud);
        for (var i = 0; i < 3; i++, _clock.Ahead += TimeSpan.FromMinutes(10))
        {
            Assert.Equal(Both, await pools.OfAsync(On("b1"), default));
            Assert.Equal(["vms"], await pools.OfAsync(On("a1"), default));
        }

        Assert.Contains(warning, Assert.Single(_log.Texts), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nova_is_asked_for_aggregates_only_where_they_are_named_and_the_server_is_on_a_host()
    {
        using var nowhere = new OpenStackCloud(new CloudOptions { Keystone = new KeystoneOptions { AuthUrl = "http://127.0.0.1:1/v3", Username = "u", Password = "p", ProjectName = "p" } });
        var pools = Pools("[ceph:ssd]\naggregates = x\n", nowhere);
        Assert.Equal(Both, await pools.OfAsync(On(null), default));
        Assert.Equal(Both, await pools.OfAsync(On(""), default));
        Assert.Equal(["ssd:vms"], await Pools("[ceph:ssd]\nhosts = b?\n", nowhere).OfAsync(On("b1"), default));
        Assert.Equal(["vms"], await Pools("[ceph]\naggregates = x\n", nowhere).OfAsync(On("b1"), default));
    }

    private ServerPools Pools(string text, OpenStackCloud cloud) => new(_folder.Load(text).Settings, cloud.Compute, _log, _clock);

    private static Server On(string? host) => new() { Id = "5b2ce2b1-4bfb-4a4e-9d5b-6b8d4c7e8f90", Status = "ACTIVE", ProjectId = "p", Host = host };

    private static OpenStackCloud Open(string who) => new(new CloudOptions
    {
        Keystone = new KeystoneOptions
        {
            AuthUrl = Setting("KEYSTONE_URL"),
            Username = Setting($"{who}_USER"),
            Password = Setting($"{who}_PASSWORD"),
            ProjectName = Setting($"{who}_PROJECT"),
            RegionName = "RegionOne",
            Interfaces = ["public"],
        },
    });

    private static string Setting(string name) => Environment.GetEnvironmentVariable($"RBDBACKUP_TEST_{name}")
        ?? throw new InvalidOperationException($"RBDBACKUP_TEST_{name} is not set: run devstack/mini/mini up openstack, then eval \"$(devstack/mini/mini env)\".");

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override long GetTimestamp() => base.GetTimestamp() + (long)(Ahead.TotalSeconds * TimestampFrequency);
    }

    private sealed class Lines : ILogger
    {
        public List<string> Texts { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Texts.Add(formatter(state, exception));
    }
}
