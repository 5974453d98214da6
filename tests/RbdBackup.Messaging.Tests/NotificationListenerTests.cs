using System.Text;
using System.Threading.Channels;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging.Tests;

public class NotificationListenerTests
{
    private const string Key = "notifications.info";
    private const int Up = 3000;
    private const int Failed = 3001;
    private const int DeclaredExchange = 3020;

    [Fact]
    public async Task CopiesArriveAndNothingIsTakenFromOthers()
    {
        await using var broker = await TestBroker.StartAsync();
        var others = await broker.OthersQueueAsync(broker.Nova, Key);
        var (handled, released) = (Inbox(), Inbox());
        await using var running = await StartAsync(broker, Into(handled), Into(released));
        await broker.NotifyAsync(broker.Nova, Key, "one");
        foreach (var inbox in (Channel<(string, NotificationDelivery)>[])[handled, released])
        {
            var (body, delivery) = await NextAsync(inbox);
            Assert.Equal(("one", "application/json", broker.Nova, Key, 1), (body, delivery.ContentType, delivery.Exchange, delivery.RoutingKey, delivery.Count));
        }

        Assert.Equal(1u, await broker.CountAsync(others));
    }

    [Theory]
    [InlineData("notifications.info")]
    [InlineData("versioned_notifications.info")]
    [InlineData("rbdbackup.info")]
    [InlineData("rbdbackup_versioned.info")]
    public async Task EachTopicOfEachServiceIsHeard(string key)
    {
        await using var broker = await TestBroker.StartAsync();
        var handled = Inbox();
        await using var running = await StartAsync(broker, Into(handled), Nothing);
        await broker.NotifyAsync(broker.Nova, key, "from nova");
        Assert.Equal("from nova", (await NextAsync(handled)).Body);
        await broker.NotifyAsync(broker.Cinder, key, "from cinder");
        Assert.Equal("from cinder", (await NextAsync(handled)).Body);
    }

    [Fact]
    public async Task AServiceMayDeclareItsExchangeAfterUs()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var running = await StartAsync(broker, Nothing, Nothing);
        await broker.Admin.ExchangeDeclareAsync(broker.Nova, ExchangeType.Topic, durable: false, autoDelete: false);
    }

    [Fact]
    public async Task ADurableExchangeIsTakenAsItIs()
    {
        await using var broker = await TestBroker.StartAsync();
        await broker.Admin.ExchangeDeclareAsync(broker.Nova, ExchangeType.Topic, durable: true, autoDelete: false);
        var handled = Inbox();
        await using var running = await StartAsync(broker, Into(handled), Nothing);
        await broker.NotifyAsync(broker.Nova, Key, "one");
        Assert.Equal("one", (await NextAsync(handled)).Body);
    }

    [Fact]
    public async Task WhatCantBeReadIsOneDeadLetterWithItsReason()
    {
        await using var broker = await TestBroker.StartAsync();
        var released = new TaskCompletionSource<bool>();
        await using var running = await StartAsync(broker, Unreadable, UnreadableToo);
        await broker.NotifyAsync(broker.Nova, Key, "garbage");
        var dead = await broker.TakeAsync(broker.Options.DeadQueue);
        Assert.Equal("garbage", Encoding.UTF8.GetString(dead.Body.Span));
        Assert.Equal("Not a notification: it is garbage, truly", TestBroker.Header(dead, DeadLetterHeaders.Reason));
        Assert.Equal(broker.Options.NotificationQueue, TestBroker.Header(dead, DeadLetterHeaders.Queue));
        Assert.Equal(broker.Nova, TestBroker.Header(dead, DeadLetterHeaders.Exchange));
        Assert.Equal(Key, TestBroker.Header(dead, DeadLetterHeaders.RoutingKey));
        await released.Task.Within();
        await running.StopAsync();
        Assert.Equal(0u, await broker.CountAsync(broker.Options.DeadQueue));
        Assert.Equal(0u, await broker.CountAsync(broker.Options.NotificationQueue));
        Assert.Equal(0u, await broker.CountAsync(broker.Options.ReleaseQueue));

        Task UnreadableToo(NotificationDelivery n, CancellationToken stop)
        {
            released.TrySetResult(true);
            return Unreadable(n, stop);
        }

        static Task Unreadable(NotificationDelivery n, CancellationToken stop) =>
            throw new RbdBackupException(ErrorKind.Corrupt, "Not a notification: it is garbage,\ntruly");
    }

    [Fact]
    public async Task WhatFailsIsTriedAgainAndThenADeadLetter()
    {
        await using var broker = await TestBroker.StartAsync();
        var counts = new List<int>();
        await using var running = await StartAsync(
            broker,
            (n, _) =>
            {
                counts.Add(n.Count);
                throw new InvalidOperationException($"no luck the {n.Count}. time");
            },
            Nothing);
        await broker.NotifyAsync(broker.Nova, Key, "one");
        var dead = await broker.TakeAsync(broker.Options.DeadQueue);
        Assert.Equal("no luck the 3. time", TestBroker.Header(dead, DeadLetterHeaders.Reason));
        Assert.Equal([1, 2, 3], counts);
    }

    [Fact]
    public async Task ReleasesWaitBehindNothing()
    {
        await using var broker = await TestBroker.StartAsync();
        var released = Inbox();
        await using var running = await StartAsync(broker, (_, stop) => Task.Delay(Timeout.Infinite, stop), Into(released));
        var many = broker.Options.NotificationPrefetch * 2;
        for (var i = 0; i < many; i++)
        {
            await broker.NotifyAsync(broker.Nova, Key, "busy");
        }

        await broker.NotifyAsync(broker.Nova, Key, "delete");
        var bodies = new List<string>();
        for (var i = 0; i <= many; i++)
        {
            bodies.Add((await NextAsync(released)).Body);
        }

        Assert.Contains("delete", bodies);
    }

    [Fact]
    public async Task ABrokerThatIsDownIsWaitedFor()
    {
        await using var broker = await TestBroker.StartAsync();
        await broker.Gate.ShutAsync();
        var handled = Inbox();
        var listener = broker.Listener();
        await using var running = new Running(stop => listener.RunAsync(Into(handled), Nothing, stop));
        var line = await broker.Log.NextAsync(Failed);
        Assert.Contains($"127.0.0.1:{broker.Gate.Port}", line, StringComparison.Ordinal);
        Assert.Contains(listener.Status, s => s is { State: LinkState.Connecting, FailedAttempts: > 0, LastError: not null });
        broker.Gate.Open();
        await UpAsync(broker);
        Assert.All(listener.Status, s => Assert.Equal((LinkState.Connected, null), (s.State, s.LastError)));
        await broker.NotifyAsync(broker.Nova, Key, "one");
        Assert.Equal("one", (await NextAsync(handled)).Body);
    }

    [Fact]
    public async Task ABrokerThatRestartsWithoutItsExchangesIsTakenUpAgain()
    {
        await using var broker = await TestBroker.StartAsync();
        var handled = Inbox();
        await using var running = await StartAsync(broker, Into(handled), Nothing);
        await broker.Gate.ShutAsync();
        await broker.Admin.ExchangeDeleteAsync(broker.Nova);
        broker.Gate.Open();
        await UpAsync(broker);
        await broker.NotifyAsync(broker.Nova, Key, "after");
        Assert.Equal("after", (await NextAsync(handled)).Body);
    }

    [Fact]
    public async Task WhatWasNotAcknowledgedComesAgainAfterACut()
    {
        await using var broker = await TestBroker.StartAsync();
        var (handled, go) = (Inbox(), new TaskCompletionSource());
        await using var running = await StartAsync(
            broker,
            async (n, stop) =>
            {
                await Into(handled)(n, stop);
                await (n.Count == 1 ? go.Task : Task.CompletedTask);
            },
            Nothing);
        await broker.NotifyAsync(broker.Nova, Key, "one");
        Assert.Equal(1, (await NextAsync(handled)).Delivery.Count);
        broker.Gate.Cut();
        go.SetResult();
        Assert.Equal(2, (await NextAsync(handled)).Delivery.Count);
        await running.StopAsync();
        Assert.Equal(0u, await broker.CountAsync(broker.Options.NotificationQueue));
    }

    [Fact]
    public async Task AQueueThatSomebodyDeletedIsMadeAgain()
    {
        await using var broker = await TestBroker.StartAsync();
        var handled = Inbox();
        await using var running = await StartAsync(broker, Into(handled), Nothing);
        await broker.Admin.QueueDeleteAsync(broker.Options.NotificationQueue);
        await broker.Log.NextAsync(Up);
        await broker.NotifyAsync(broker.Nova, Key, "one");
        Assert.Equal("one", (await NextAsync(handled)).Body);
    }

    [Fact]
    public async Task AnExchangeThatSomebodyDeletedIsBoundAgain()
    {
        await using var broker = await TestBroker.StartAsync();
        var (handled, released) = (Inbox(), Inbox());
        var listener = broker.Listener(broker.Options with { RebindInterval = TimeSpan.FromMilliseconds(50) });
        await using var running = new Running(stop => listener.RunAsync(Into(handled), Into(released), stop));
        await UpAsync(broker);
        await broker.Admin.ExchangeDeleteAsync(broker.Nova);
        await broker.Log.NextAsync(DeclaredExchange);

        await PublishUntilEachHasOneAsync(broker, handled, released).Within();
    }

    [Fact]
    public async Task AStopWaitsForWhatIsBeingHandled()
    {
        await using var broker = await TestBroker.StartAsync();
        var (begun, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        var running = await StartAsync(
            broker,
            async (_, _) =>
            {
                begun.SetResult();
                await finish.Task;
            },
            Nothing);
        await broker.NotifyAsync(broker.Nova, Key, "one");
        await begun.Task.Within();
        var stopped = running.StopAsync();
        Assert.False(stopped.IsCompleted);
        finish.SetResult();
        await stopped;
        Assert.Equal(0u, await broker.CountAsync(broker.Options.NotificationQueue));
    }

    [Fact]
    public async Task AUserWithoutPermissionIsToldSoAndNoSecretIsLogged()
    {
        await using var broker = await TestBroker.StartAsync();
        var wrong = broker.Url with { Hosts = [broker.Url.Hosts[0] with { Password = "hunter2-wrong" }] };
        var listener = new NotificationListener(wrong, broker.Options, TimeProvider.System, broker.Log);
        await using var running = new Running(stop => listener.RunAsync(Nothing, Nothing, stop));
        Assert.Contains("refused user or password", await broker.Log.NextAsync(Failed), StringComparison.Ordinal);
        Assert.DoesNotContain(broker.Log.All, line => line.Contains("hunter2", StringComparison.Ordinal));
    }

    // A declared exchange is not yet bound to either queue.
    private static async Task PublishUntilEachHasOneAsync(TestBroker broker, params Channel<(string, NotificationDelivery)>[] inboxes)
    {
        while (inboxes.Any(i => i.Reader.Count == 0))
        {
            try
            {
                await broker.NotifyAsync(broker.Nova, Key, "again");
            }
            catch (PublishException e) when (e.IsReturn)
            {
                await Task.Yield();
            }
        }
    }

    private static async Task<Running> StartAsync(TestBroker broker, NotificationHandler handle, NotificationHandler release)
    {
        var listener = broker.Listener();
        var running = new Running(stop => listener.RunAsync(handle, release, stop));
        await UpAsync(broker);
        return running;
    }

    private static async Task UpAsync(TestBroker broker)
    {
        await broker.Log.NextAsync(Up);
        await broker.Log.NextAsync(Up);
    }

    private static Channel<(string Body, NotificationDelivery Delivery)> Inbox() => Channel.CreateUnbounded<(string, NotificationDelivery)>();

    private static NotificationHandler Into(Channel<(string, NotificationDelivery)> inbox) =>
        async (n, stop) => await inbox.Writer.WriteAsync((Encoding.UTF8.GetString(n.Body.Span), n), stop);

    private static Task<(string Body, NotificationDelivery Delivery)> NextAsync(Channel<(string, NotificationDelivery)> inbox) =>
        inbox.Reader.ReadAsync().AsTask().Within();

    private static Task Nothing(NotificationDelivery n, CancellationToken stop) => Task.CompletedTask;
}
