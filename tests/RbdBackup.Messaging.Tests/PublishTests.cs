using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using RabbitMQ.Client;
using RbdBackup.Core.Model;

namespace RbdBackup.Messaging.Tests;

/// <summary>What a person is told when a request can't be published, and that it is published when it can.</summary>
public class PublishTests
{
    [Fact]
    public async Task ABrokerThatIsDownIsNamed()
    {
        await using var broker = await TestBroker.StartAsync();
        await broker.Gate.ShutAsync();
        var e = await FailsAsync(broker, broker.Url);
        Assert.Equal(ErrorKind.Unavailable, e.Kind);
        Assert.Contains($"127.0.0.1:{broker.Gate.Port}", e.Message, StringComparison.Ordinal);
        Assert.Contains("transport_url", e.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARefusedPasswordIsPermissionAndNeverShown()
    {
        await using var broker = await TestBroker.StartAsync();
        var e = await FailsAsync(broker, broker.Url with { Hosts = [broker.Url.Hosts[0] with { Password = "hunter2-wrong" }] });
        Assert.Equal(ErrorKind.Permission, e.Kind);
        Assert.DoesNotContain("hunter2", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AVirtualHostThatIsNotThereIsPermission()
    {
        await using var broker = await TestBroker.StartAsync();
        var e = await FailsAsync(broker, broker.Url with { VirtualHost = "nowhere" });
        Assert.Equal(ErrorKind.Permission, e.Kind);
        Assert.Contains("nowhere", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AQueueOfAnotherKindIsNamed()
    {
        await using var broker = await TestBroker.StartAsync();
        await broker.Admin.QueueDeclareAsync(broker.Options.JobQueue, durable: true, exclusive: false, autoDelete: false);
        var e = await FailsAsync(broker, broker.Url);
        Assert.Equal(ErrorKind.Usage, e.Kind);
        Assert.Contains(broker.Options.JobQueue, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFullQueueRefuses()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request(), default);
        var ballast = new byte[16 << 20];
        try
        {
            while (true)
            {
                await broker.Admin.BasicPublishAsync("", broker.Options.JobQueue, mandatory: true, new BasicProperties(), ballast);
            }
        }
        catch (RabbitMQ.Client.Exceptions.PublishException)
        {
            var e = await Assert.ThrowsAsync<RbdBackupException>(() => jobs.PublishAsync(TestBroker.Request(), default));
            Assert.Equal(ErrorKind.NoSpace, e.Kind);
        }
    }

    [Fact]
    public async Task AfterACutTheNextRequestIsPublished()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var jobs = broker.Jobs();
        await jobs.PublishAsync(TestBroker.Request(), default);
        await broker.Gate.ShutAsync();
        var e = await Assert.ThrowsAsync<RbdBackupException>(() => jobs.PublishAsync(TestBroker.Request(), default));
        Assert.Equal(ErrorKind.Unavailable, e.Kind);
        broker.Gate.Open();
        await jobs.PublishAsync(TestBroker.Request(), default);
    }

    [Fact]
    public async Task ANodeThatIsDownIsPassedOver()
    {
        await using var broker = await TestBroker.StartAsync();
        await using var other = new TcpGate(broker.Address);
        await broker.Gate.ShutAsync();
        var url = broker.Url with { Hosts = [broker.Url.Hosts[0], broker.Url.Hosts[0] with { Port = other.Port }] };
        await using var jobs = new JobQueue(url, broker.Options, TimeProvider.System, broker.Log);
        await jobs.PublishAsync(TestBroker.Request(), default);
    }

    [Fact]
    public async Task TlsIsSpokenWithTheAuthorityThatWasNamedAndNoOther()
    {
        await using var broker = await TestBroker.StartAsync();
        using var key = ECDsa.Create();
        using var authority = Authority("CN=ours", key);
        using var certificate = Signed(authority, "127.0.0.1");
        await using var gate = new TcpGate(broker.Address, certificate);
        using var otherKey = ECDsa.Create();
        using var stranger = Authority("CN=stranger", otherKey);
        var (ours, theirs) = (WritePem(authority), WritePem(stranger));
        try
        {
            await using var jobs = new JobQueue(Tls(ours), broker.Options, TimeProvider.System, broker.Log);
            await jobs.PublishAsync(TestBroker.Request(), default);
            Assert.Equal(ErrorKind.Permission, (await FailsAsync(broker, Tls(theirs))).Kind);
            Assert.Equal(ErrorKind.Permission, (await FailsAsync(broker, Tls(null))).Kind);
            Assert.Equal(ErrorKind.Permission, (await FailsAsync(broker, Tls(ours, "localhost"))).Kind);
            Assert.Equal(ErrorKind.Usage, (await FailsAsync(broker, Tls(ours + ".missing"))).Kind);
        }
        finally
        {
            File.Delete(ours);
            File.Delete(theirs);
        }

        TransportUrl Tls(string? file, string host = "127.0.0.1") =>
            broker.Url with { Hosts = [broker.Url.Hosts[0] with { Host = host, Port = gate.Port }], Tls = new TlsFiles(file, null, null) };
    }

    private static async Task<RbdBackupException> FailsAsync(TestBroker broker, TransportUrl url)
    {
        await using var jobs = new JobQueue(url, broker.Options, TimeProvider.System, broker.Log);
        return await Assert.ThrowsAsync<RbdBackupException>(() => jobs.PublishAsync(TestBroker.Request(), default));
    }

    private static X509Certificate2 Authority(string name, ECDsa key)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }

    private static X509Certificate2 Signed(X509Certificate2 authority, string address)
    {
        using var key = ECDsa.Create();
        var request = new CertificateRequest("CN=broker", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(address));
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(authority, authority.NotBefore, authority.NotAfter, [1]);
        return signed.CopyWithPrivateKey(key);
    }

    private static string WritePem(X509Certificate2 certificate)
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, certificate.ExportCertificatePem());
        return file;
    }
}
