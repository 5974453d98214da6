using RbdBackup.Http;

namespace RbdBackup.Stores;

/// <summary>What a login gave: where the account is, and a token for it. A class, not a record: its text must never show the token.</summary>
/// <param name="accountUrl">The account's URL, without a '/' at its end.</param>
/// <param name="token">What each request carries as X-Auth-Token.</param>
/// <param name="life">How long the token is good from its making on; null where the service does not say.</param>
internal sealed class SwiftLogin(string accountUrl, string token, TimeSpan? life) : ILogin
{
    public string AccountUrl { get; } = accountUrl.TrimEnd('/');

    public string Token { get; } = token;

    public TimeSpan? Life { get; } = life;
}

/// <summary>A way to log in.</summary>
internal interface ISwiftAuthentication
{
    /// <summary>Where we log in, for people.</summary>
    string Address { get; }

    /// <summary>Logs in afresh.</summary>
    /// <exception cref="AnswerException">The service could not answer now.</exception>
    /// <exception cref="Core.Model.RbdBackupException">It refused us, or has no Swift for us.</exception>
    Task<SwiftLogin> LogInAsync(ServiceHttp http, CancellationToken cancel);
}
