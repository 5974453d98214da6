namespace RbdBackup.Http;

/// <summary>What logging in to a service gave.</summary>
public interface ILogin
{
    /// <summary>How long it is good from its making on; null where the service does not say.</summary>
    TimeSpan? Life { get; }
}

/// <summary>The login that requests share: renewed before its end, or when the service no longer takes it, once for all who wait.</summary>
/// <param name="logIn">Logs in afresh.</param>
/// <param name="clock">The clock.</param>
public sealed class Logins<TLogin>(Func<CancellationToken, Task<TLogin>> logIn, TimeProvider clock) : IDisposable
    where TLogin : class, ILogin
{
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(5);

    private readonly SemaphoreSlim _oneLogsIn = new(1);
    private volatile TLogin? _login;
    private long _since;

    /// <summary>A login that is good for a while.</summary>
    public ValueTask<TLogin> GetAsync(CancellationToken cancel) =>
        _login is { } login && !IsEnding(login) ? ValueTask.FromResult(login) : new(RenewAsync(_login, cancel));

    /// <summary>Another login than <paramref name="old"/>, which is ending or was refused.</summary>
    public async Task<TLogin> RenewAsync(TLogin? old, CancellationToken cancel)
    {
        await _oneLogsIn.WaitAsync(cancel);
        try
        {
            if (_login is { } renewed && renewed != old && !IsEnding(renewed))
            {
                return renewed;
            }
            // Counted from before the request, by our own monotonic clock: it can't end later than we think, whatever the service's clock says.
            var asked = clock.GetTimestamp();
            var login = await logIn(cancel);
            Interlocked.Exchange(ref _since, asked);
            return _login = login;
        }
        finally
        {
            _oneLogsIn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _oneLogsIn.Dispose();

    /// <summary>True in the last five minutes, of a short life in its last half: a request that starts now may still be at work then.</summary>
    private bool IsEnding(TLogin login) =>
        login.Life is { } life && clock.GetElapsedTime(Interlocked.Read(ref _since)) > life - (life / 2 < Margin ? life / 2 : Margin);
}
