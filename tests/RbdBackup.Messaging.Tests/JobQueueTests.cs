using System.Text;
using System.Threading.Channels;
using RabbitMQ.Client;
using RbdBackup.Core.Model;
using RbdBackup.Core.Requests;

namespace RbdBackup.Messaging.Tests;

public class JobQueueTests
{
    private const int Up = 3000;
    private const int EndedBadly = 3012;

    [Fact]
    public async Task ARequestArrivesAsItWasAsked()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        var request = TestBroker.Request() with { Snapshot = "snapshot-1", Full = true, Policy = "daily" };
        await jobs.PublishAsync(request, default);
        var inbox = Inbox();
        await using var running = new Running(stop => jobs.RunAsync(AckInto(inbox), 1, stop));
        Assert.Equal(request, (await NextAsync(inbox)).Request);
        await running.StopAsync();
        Assert.Equal(0u, await broker.CountAsync(broker.Options.JobQueue));
    }

    [Fact]
    public async Task RequestsWaitInADurableQuorumQueue()
    {
        await using var broker = await TestBroker.StartAsync();
        await using (var jobs = broker.Jobs())
        {
            await jobs.PublishAsync(TestBroker.Request(), default);
        }

        var message = await broker.TakeAsync(broker.Options.JobQueue);
        Assert.True(message.BasicProperties.Persistent);
        Assert.Equal("application/json", message.BasicProperties.ContentType);
    }

    [Fact]
    public async Task DuplicatesArriveBothWithOneKey()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        var (first, second) = (TestBroker.Request(), TestBroker.Request());
        await jobs.PublishAsync(first, default);
        await jobs.PublishAsync(second, default);
        var inbox = Inbox();
        await using var running = new Running(stop => jobs.RunAsync(AckInto(inbox), 2, stop));
        var (one, other) = ((await NextAsync(inbox)).Request, (await NextAsync(inbox)).Request);
        Assert.NotEqual(one.Id, other.Id);
        Assert.Equal(one.DedupKey, other.DedupKey);
    }

    [Fact]
    public async Task ManyMayPublishAtOnce()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        var requests = Enumerable.Range(0, 50).Select(i => TestBroker.Request($"vms/disk{i}")).ToList();
        await Task.WhenAll(requests.Select(r => jobs.PublishAsync(r, default)));
        var inbox = Inbox();
        await using var running = new Running(stop => jobs.RunAsync(AckInto(inbox), 8, stop));
        var images = new HashSet<ImageSpec>();
        while (images.Count < requests.Count)
        {
            images.Add((await NextAsync(inbox)).Request.Image);
        }
    }

    [Fact]
    public async Task NoRequestIsTakenBeforeThereIsAPlaceForIt()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var busy = broker.Jobs();
        await using var idle = broker.Jobs();
        var (atBusy, atIdle) = (Inbox(), Inbox());
        await using var working = new Running(stop => busy.RunAsync(
            async (job, s) =>
            {
                await AckInto(atBusy)(job, s);
                await Task.Delay(Timeout.Infinite, s);
            },
            1,
            stop));
        await busy.PublishAsync(TestBroker.Request("vms/long"), default);
        await NextAsync(atBusy);
        await busy.PublishAsync(TestBroker.Request("vms/next"), default);
        await using var free = new Running(stop => idle.RunAsync(AckInto(atIdle), 1, stop));
        var next = await NextAsync(atIdle);
        Assert.Equal(("vms/next", 1), (next.Request.Image.ToString(), next.Count));
    }

    [Fact]
    public async Task AsManyAreHandledAtOnceAsThereArePlaces()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        for (var i = 0; i < 4; i++)
        {
            await jobs.PublishAsync(TestBroker.Request($"vms/disk{i}"), default);
        }

        var (inbox, go) = (Inbox(), new TaskCompletionSource());
        await using var running = new Running(stop => jobs.RunAsync(
            async (job, s) =>
            {
                await AckInto(inbox)(job, s);
                await go.Task.WaitAsync(s);
            },
            3,
            stop));
        for (var i = 0; i < 3; i++)
        {
            await NextAsync(inbox);
        }

        Assert.Equal(1u, await broker.CountAsync(broker.Options.JobQueue));
        go.SetResult();
        await NextAsync(inbox);
    }

    [Fact]
    public async Task WhatFailsBeforeItsSettlementComesAgainAndThenIsADeadLetter()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        var request = TestBroker.Request();
        await jobs.PublishAsync(request, default);
        var counts = new List<int>();
        await using var running = new Running(stop => jobs.RunAsync(
            (job, _) =>
            {
                counts.Add(job.Count);
                throw new RbdBackupException(ErrorKind.Unavailable, "Ceph does not answer");
            },
            1,
            stop));
        var dead = await broker.TakeAsync(broker.Options.DeadQueue);
        Assert.Equal("Ceph does not answer", TestBroker.Header(dead, DeadLetterHeaders.Reason));
        Assert.Equal(request, BackupRequestJson.Read(dead.Body));
        Assert.Equal([1, 2, 3], counts);
    }

    [Fact]
    public async Task WhatFailsAfterItsSettlementIsLoggedAndOver()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request(), default);
        await using var running = new Running(stop => jobs.RunAsync(
            async (job, _) =>
            {
                await job.AckAsync();
                throw new InvalidOperationException("late trouble");
            },
            1,
            stop));
        Assert.Contains("late trouble", await broker.Log.NextAsync(EndedBadly), StringComparison.Ordinal);
        await running.StopAsync();
        Assert.Equal(0u, await broker.CountAsync(broker.Options.JobQueue));
        Assert.Equal(0u, await broker.CountAsync(broker.Options.DeadQueue));
    }

    [Fact]
    public async Task AHandlerThatForgetsToSettleIsAFailure()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request(), default);
        await using var running = new Running(stop => jobs.RunAsync((_, _) => Task.CompletedTask, 1, stop));
        Assert.Contains("without settling", TestBroker.Header(await broker.TakeAsync(broker.Options.DeadQueue), DeadLetterHeaders.Reason), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARejectedRequestIsADeadLetterWithItsReason()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request(), default);
        await using var running = new Running(stop => jobs.RunAsync((job, _) => job.RejectAsync("policy 'gold' is unknown"), 1, stop));
        Assert.Equal("policy 'gold' is unknown", TestBroker.Header(await broker.TakeAsync(broker.Options.DeadQueue), DeadLetterHeaders.Reason));
    }

    [Theory]
    [InlineData("garbage", "Not a backup request")]
    [InlineData("""{"version":2,"colour":"blue"}""", "newer than 1")]
    public async Task GarbageIsADeadLetterAndTheNextRequestIsServed(string body, string reason)
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request("vms/before"), default);
        await broker.Admin.BasicPublishAsync("", broker.Options.JobQueue, mandatory: true, new BasicProperties(), Encoding.UTF8.GetBytes(body));
        await jobs.PublishAsync(TestBroker.Request("vms/after"), default);
        var inbox = Inbox();
        await using var running = new Running(stop => jobs.RunAsync(AckInto(inbox), 1, stop));
        Assert.Equal("before", (await NextAsync(inbox)).Request.Image.Name);
        Assert.Equal("after", (await NextAsync(inbox)).Request.Image.Name);
        Assert.Contains(reason, TestBroker.Header(await broker.TakeAsync(broker.Options.DeadQueue), DeadLetterHeaders.Reason), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARequestThatKillsItsWorkersIsADeadLetter()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request(), default);
        for (var death = 0; death < broker.Options.DeliveryLimit; death++)
        {
            var taken = await broker.Admin.BasicGetAsync(broker.Options.JobQueue, autoAck: false);
            await broker.Admin.BasicNackAsync(taken!.DeliveryTag, multiple: false, requeue: true);
        }

        await using var running = new Running(stop => jobs.RunAsync((_, _) => throw new InvalidOperationException("never called"), 1, stop));
        Assert.Equal("delivered 3 times without an answer", TestBroker.Header(await broker.TakeAsync(broker.Options.DeadQueue), DeadLetterHeaders.Reason));
    }

    [Fact]
    public async Task TheBrokerItselfGivesUpWhatNobodyAnswers()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        var request = TestBroker.Request();
        await jobs.PublishAsync(request, default);
        while (await broker.Admin.BasicGetAsync(broker.Options.JobQueue, autoAck: false) is { } taken)
        {
            await broker.Admin.BasicNackAsync(taken.DeliveryTag, multiple: false, requeue: true);
        }

        var dead = await broker.TakeAsync(broker.Options.DeadQueue);
        Assert.Equal(request, BackupRequestJson.Read(dead.Body));
        Assert.Contains("x-death", dead.BasicProperties.Headers!.Keys);
    }

    [Fact]
    public async Task WorkGoesOnWhenTheBrokerIsLostAndKeepsItsPlace()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request("vms/long"), default);
        var (inbox, go) = (Inbox(), new TaskCompletionSource());
        var (now, most) = (0, 0);
        await using var running = new Running(stop => jobs.RunAsync(
            async (job, s) =>
            {
                most = Math.Max(most, Interlocked.Increment(ref now));
                await AckInto(inbox)(job, s);
                await go.Task.WaitAsync(s);
                Interlocked.Decrement(ref now);
            },
            1,
            stop));
        await NextAsync(inbox);
        await broker.Log.NextAsync(Up);
        broker.Gate.Cut();
        await broker.Log.NextAsync(Up);
        await jobs.PublishAsync(TestBroker.Request("vms/next"), default);
        go.SetResult();

        // The first may come again: the broker confirms no acknowledgement, and the cut may have swallowed it.
        while ((await NextAsync(inbox)).Request.Image.Name != "next")
        {
        }

        Assert.Equal(1, most);
    }

    [Fact]
    public async Task WhatCouldNotBeSettledComesAgain()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request(), default);
        var (inbox, go) = (Inbox(), new TaskCompletionSource());
        var failure = new TaskCompletionSource<RbdBackupException>();
        await using var running = new Running(stop => jobs.RunAsync(
            async (job, s) =>
            {
                await inbox.Writer.WriteAsync(job, s);
                await (job.Count == 1 ? go.Task : Task.CompletedTask);
                try
                {
                    await job.AckAsync();
                }
                catch (RbdBackupException e)
                {
                    failure.SetResult(e);
                }
            },
            1,
            stop));
        await NextAsync(inbox);
        await broker.Log.NextAsync(Up);
        await broker.Gate.ShutAsync();
        broker.Gate.Open();
        await broker.Log.NextAsync(Up);
        go.SetResult();
        Assert.Equal(ErrorKind.Unavailable, (await failure.Task.Within()).Kind);
        Assert.Equal(2, (await NextAsync(inbox)).Count);
    }

    private static Channel<JobDelivery> Inbox() => Channel.CreateUnbounded<JobDelivery>();

    private static JobHandler AckInto(Channel<JobDelivery> inbox) => async (job, stop) =>
    {
        await job.AckAsync();
        await inbox.Writer.WriteAsync(job, stop);
    };

    private static Task<JobDelivery> NextAsync(Channel<JobDelivery> inbox) => inbox.Reader.ReadAsync().AsTask().Within();
}
