namespace RbdBackup.EndToEnd.Failure;

/// <summary>What a public tool says when it fails is in the log of the test, for everybody to read.</summary>
public sealed class ToolTests
{
    [Fact]
    public async Task A_tool_that_fails_tells_no_secret_of_minis()
    {
        var password = new Uri(Mini.AmqpUrl).UserInfo.Split(':')[1];
        var key = Mini.Setting("AWS_SECRET_ACCESS_KEY");
        var failed = await Assert.ThrowsAsync<InvalidOperationException>(() => Tool.BashAsync("echo \"no login with $2\" >&2; exit 3", Mini.AmqpUrl, key));
        Assert.Contains(" ended with 3: no login with ***", failed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(password, failed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(key, failed.Message, StringComparison.Ordinal);
    }
}
