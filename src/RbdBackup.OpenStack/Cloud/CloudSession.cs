using Microsoft.Extensions.Logging;
using Polly;
using RbdBackup.Core.Model;
using RbdBackup.Http;
using RbdBackup.Http.Keystone;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>What the clients of one cloud share: connections, the login, and how requests are tried again.</summary>
internal sealed class CloudSession : IDisposable
{
    private readonly KeystoneIdentity _identity;
    private readonly Logins<KeystoneLogin> _logins;

    public CloudSession(CloudOptions options, ILogger logger, TimeProvider clock)
    {
        PageSize = options.PageSize;
        _identity = new KeystoneIdentity(options.Keystone);
        Http = new ServiceHttp(HttpClients.Create(options.CaFile, "OpenStack"));
        HttpOnce = new ServiceHttp(HttpClients.Create(options.CaFile, "OpenStack", reuse: false));
        _logins = new Logins<KeystoneLogin>(cancel => _identity.LogInAsync(Http, cancel), clock);
        Repeatable = Pipeline(Repeating.MayPass);
        Once = Pipeline(Repeating.WasNotBegun);

        ResiliencePipeline Pipeline(Func<Exception, bool> isTransient) => new Retries
        {
            Count = options.Retries,
            Delay = options.RetryDelay,
            Timeout = options.RequestTimeout,
            IsTransient = isTransient,
            AskedFor = e => (e as AnswerException)?.RetryAfter,
        }.Build($"OpenStack at {_identity.Address}", logger, clock);
    }

    /// <summary>How many entries of a listing are asked for at a time.</summary>
    public int PageSize { get; }

    /// <summary>How what may be done twice is tried again.</summary>
    public ResiliencePipeline Repeatable { get; }

    /// <summary>How what may be done once only is tried again.</summary>
    public ResiliencePipeline Once { get; }

    /// <summary>Requests that may be made twice.</summary>
    public ServiceHttp Http { get; }

    /// <summary>Requests that may be made once only: each on a connection of its own, which the service is not closing.</summary>
    public ServiceHttp HttpOnce { get; }

    /// <summary>A login that is good for a while; another one than <paramref name="refused"/> where that is given.</summary>
    /// <exception cref="RbdBackupException">Keystone refused us, or did not answer.</exception>
    public async Task<KeystoneLogin> LogInAsync(KeystoneLogin? refused, CancellationToken cancel)
    {
        try
        {
            return await Repeatable.ExecuteAsync(token => refused is null ? _logins.GetAsync(token) : new(_logins.RenewAsync(refused, token)), cancel);
        }
        catch (Exception e) when (e is not (RbdBackupException or OperationCanceledException))
        {
            throw new ServiceErrors("Keystone", _identity.Address).Translate(e, "logging in", mayBeDone: false, secret: null);
        }
    }

    public void Dispose()
    {
        _logins.Dispose();
        Http.Dispose();
        HttpOnce.Dispose();
    }
}
