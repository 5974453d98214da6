using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging.Tests;

/// <summary>Events of our own: as the services' are, and in nobody's way.</summary>
public class EventPublisherTests
{
    private const int EventsLost = 3014;

    [Fact]
    public async Task AnEventIsWhatOsloWouldSend()
    {
        await using var broker = await TestBroker.StartAsync();
        var (infos, errors) = (await broker.OthersQueueAsync(broker.Nova, "notifications.info"), await broker.OthersQueueAsync(broker.Nova, "notifications.error"));
        await using (var events = Open(broker))
        {
            events.Info("rbdbackup.backup.end", new JsonObject { ["image"] = "vms/ü \"disk\"", ["stored_bytes"] = 12L });
            events.Error("rbdbackup.restore.error", new JsonObject { ["error"] = "nospace" });
        }

        var delivery = await broker.TakeAsync(infos);
        Assert.Equal("application/json", delivery.BasicProperties.ContentType);
        var envelope = JsonNode.Parse(delivery.Body.Span)!;
        Assert.Equal("2.0", envelope["oslo.version"]!.GetValue<string>());
        var message = JsonNode.Parse(envelope["oslo.message"]!.GetValue<string>())!;
        Assert.Equal(("rbdbackup.backup.end", "INFO", "rbdbackup.here"), (Text(message, "event_type"), Text(message, "priority"), Text(message, "publisher_id")));
        Assert.Equal(("vms/ü \"disk\"", 12L), (Text(message["payload"]!, "image"), message["payload"]!["stored_bytes"]!.GetValue<long>()));
        Assert.True(Guid.TryParse(Text(message, "message_id"), out _) && DateTime.TryParse(Text(message, "timestamp"), out _));
        Assert.Contains("rbdbackup.restore.error", Encoding.UTF8.GetString((await broker.TakeAsync(errors)).Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnExchangeThatIsMissingIsMadeAsOsloWould()
    {
        await using var broker = await TestBroker.StartAsync();
        await using (var events = Open(broker))
        {
            events.Info("rbdbackup.backup.start", []);
        }

        // Another declaration would be refused.
        await broker.OthersQueueAsync(broker.Nova, "notifications.info");
    }

    [Fact]
    public async Task ABrokerThatIsAwayIsSaidOnceAndHoldsNobodyUp()
    {
        await using var broker = await TestBroker.StartAsync();
        var queue = await broker.OthersQueueAsync(broker.Nova, "notifications.info");
        await broker.Gate.ShutAsync();
        var events = Open(broker);
        var watch = Stopwatch.StartNew();
        for (var n = 0; n < 5000; n++)
        {
            events.Info("rbdbackup.backup.start", []);
        }

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
        await broker.Log.NextAsync(EventsLost);
        await events.DisposeAsync().AsTask().Within();
        Assert.Single(broker.Log.All, l => l.Contains("events are lost", StringComparison.Ordinal));
        Assert.Equal(0u, await broker.CountAsync(queue));
    }

    [Fact]
    public async Task WhatMustNotBeLostIsWaitedForAndKeepsItsId()
    {
        await using var broker = await TestBroker.StartAsync();
        var queue = await broker.OthersQueueAsync(broker.Nova, "notifications.info");
        await using var events = Open(broker);
        var id = Guid.NewGuid();
        await events.SendAsync("rbdbackup.backup.exists", new JsonObject { ["points"] = 3 }, id, default).Within();
        var message = JsonNode.Parse(JsonNode.Parse((await broker.TakeAsync(queue)).Body.Span)!["oslo.message"]!.GetValue<string>())!;
        Assert.Equal((id.ToString(), 3), (Text(message, "message_id"), message["payload"]!["points"]!.GetValue<int>()));

        await broker.Gate.ShutAsync();
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => events.SendAsync("rbdbackup.backup.exists", [], id, default).Within());
        Assert.True(error.IsTransient, error.Message);
    }

    private static EventPublisher Open(TestBroker broker) =>
        new(broker.Url, broker.Options with { EventExchange = broker.Nova }, "here", TimeProvider.System, broker.Log);

    private static string Text(JsonNode node, string member) => node[member]!.GetValue<string>();
}
