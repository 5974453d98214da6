using RbdBackup.Core.Model;

namespace RbdBackup.Messaging.Tests;

public class TransportUrlTests
{
    [Theory]
    [InlineData("rabbit://u:p@host:5673/vhost", "u", "p", "host", 5673, "vhost")]
    [InlineData("rabbit://u:p@host:5673/", "u", "p", "host", 5673, "/")]
    [InlineData("rabbit://u:p@host", "u", "p", "host", 5672, "/")]
    [InlineData("rabbit://u:p@host//", "u", "p", "host", 5672, "/")]
    [InlineData("amqp://u:p@host/%2F", "u", "p", "host", 5672, "/")]
    [InlineData("amqp://us%40er:p%3A%2F%2C%40%25@host/a%2Fb", "us@er", "p:/,@%", "host", 5672, "a/b")]
    [InlineData("rabbit://u:p:q@host/", "u", "p:q", "host", 5672, "/")]
    [InlineData("rabbit://u:p@[fd00::1]:5673/v", "u", "p", "fd00::1", 5673, "v")]
    [InlineData("rabbit://u:p@[fd00::1]/v", "u", "p", "fd00::1", 5672, "v")]
    [InlineData("amqps://u:p@host/", "u", "p", "host", 5671, "/")]
    public void ReadsOslosForm(string text, string user, string password, string host, int port, string virtualHost)
    {
        var url = TransportUrl.Parse(text);
        Assert.Equal([new BrokerHost(host, port, user, password)], url.Hosts);
        Assert.Equal(virtualHost, url.VirtualHost);
    }

    [Fact]
    public void ReadsSeveralNodes()
    {
        var url = TransportUrl.Parse("rabbit://a:1@h1:5672,b:2@h2,h3:5674/v");
        Assert.Equal([new BrokerHost("h1", 5672, "a", "1"), new BrokerHost("h2", 5672, "b", "2"), new BrokerHost("h3", 5674, "b", "2")], url.Hosts);
    }

    [Fact]
    public void ReadsOptions()
    {
        var url = TransportUrl.Parse("rabbit://u:p@h/v?ssl=True&ssl_ca_file=%2Fca.pem&ssl_cert_file=/c.pem&ssl_key_file=/k.pem&heartbeat_timeout_threshold=7&other=1");
        Assert.Equal(new TlsFiles("/ca.pem", "/c.pem", "/k.pem"), url.Tls);
        Assert.Equal(TimeSpan.FromSeconds(7), url.Heartbeat);
        Assert.Equal(5671, url.Hosts[0].Port);
        Assert.Null(TransportUrl.Parse("rabbit://u:p@h/v?ssl=0").Tls);
    }

    [Theory]
    [InlineData("")]
    [InlineData("host:5672")]
    [InlineData("http://u:SECRET@host/")]
    [InlineData("rabbit://")]
    [InlineData("rabbit://u:SECRET@/v")]
    [InlineData("rabbit://u:SECRET@host:port/v")]
    [InlineData("rabbit://u:SECRET@host:0/v")]
    [InlineData("rabbit://u:SECRET@host:65536/v")]
    [InlineData("rabbit://u:SECRET@ho st/v")]
    [InlineData("rabbit://u:SECRET@host/v?heartbeat_timeout_threshold=-1")]
    public void RefusesOthersAndKeepsTheirSecrets(string text)
    {
        var e = Assert.Throws<RbdBackupException>(() => TransportUrl.Parse(text));
        Assert.Equal(ErrorKind.Usage, e.Kind);
        Assert.DoesNotContain("SECRET", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void PrintsNoSecret()
    {
        var url = TransportUrl.Parse("rabbit://user:SECRET@h1:5672,user:SECRET@[::1]:5673/v");
        Assert.Equal("amqp://h1:5672,[::1]:5673/v", url.ToString());
        Assert.Equal("[::1]:5673", $"{url.Hosts[1]}");
    }
}
