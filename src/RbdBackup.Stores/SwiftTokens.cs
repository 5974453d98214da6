namespace RbdBackup.Stores;

/// <summary>The login that requests share: renewed before its end, or when the service no longer takes it, once for all who wait.</summary>
internal sealed class SwiftTokens(ISwiftAuthentication authentication, SwiftHttp http, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(5);

    private readonly SemaphoreSlim _oneLogsIn = new(1);
    private volatile SwiftLogin? _login;
    private long _since;

    /// <summary>A login that is good for a while.</summary>
    public ValueTask<SwiftLogin> GetAsync(CancellationToken cancel) =>
        _login is { } login && !IsEnding(login) ? ValueTask.FromResult(login) : new(RenewAsync(_login, cancel));

    /// <summary>Another login than <paramref name="old"/>, which is ending or was refused.</summary>
    public async Task<SwiftLogin> RenewAsync(SwiftLogin? old, CancellationToken cancel)
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
            var login = await authentication.LogInAsync(http, cancel);
            Interlocked.Exchange(ref _since, asked);
            return _login = login;
        }
        finally
        {
            _oneLogsIn.Release();
        }
    }

    public void Dispose() => _oneLogsIn.Dispose();

    /// <summary>True in the last five minutes, of a short life in its last half: a request that starts now may still be at work then.</summary>
    private bool IsEnding(SwiftLogin login) =>
        login.Life is { } life && clock.GetElapsedTime(Interlocked.Read(ref _since)) > life - (life / 2 < Margin ? life / 2 : Margin);
}
