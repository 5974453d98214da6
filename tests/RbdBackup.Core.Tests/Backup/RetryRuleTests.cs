using RbdBackup.Core.Jobs;

namespace RbdBackup.Core.Tests.Backup;

/// <summary>When what failed is tried again.</summary>
public sealed class RetryRuleTests
{
    private static readonly DateTimeOffset Created = new(2026, 11, 25, 2, 0, 0, TimeSpan.Zero);
    private static readonly RetryRule Rule = new(4, TimeSpan.FromMinutes(1), TimeSpan.FromHours(2));

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 10, 2)]
    [InlineData(3, 120, 4)]
    [InlineData(4, 10, null)]
    [InlineData(5, 10, null)]
    [InlineData(1, 121, null)]
    public void The_wait_doubles_until_the_tries_or_the_time_are_over(int failed, int minutes, int? wait)
    {
        var now = Created.AddMinutes(minutes);
        Assert.Equal(wait is { } w ? now.AddMinutes(w) : null, Rule.Next(failed, Created, now));
    }
}
