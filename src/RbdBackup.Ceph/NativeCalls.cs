using System.Runtime.InteropServices;

namespace RbdBackup.Ceph;

/// <summary>
/// Runs blocking native calls on threads of their own, with a deadline for the caller. A native call can't be ended: past the deadline, or
/// when the caller gives up, it is left to end in the background, and the handles that it uses stay open until then.
/// </summary>
internal sealed class NativeCalls(CephOptions options)
{
    private long _told;

    /// <summary>The deadline, also of closing.</summary>
    public TimeSpan Deadline => options.CallDeadline;

    /// <summary>The clock of deadlines.</summary>
    public TimeProvider Time => options.Time;

    /// <summary>Runs a call that returns nothing. See <see cref="RunAsync{T}"/>.</summary>
    public Task RunAsync(string call, string subject, Action body, CancellationToken cancel) =>
        RunAsync(call, subject, () => { body(); return true; }, cancel);

    /// <summary>Runs a call that reports its progress; the deadline counts from the last report.</summary>
    public async Task RunAsync(string call, string subject, Action<Progress> body, CancellationToken cancel)
    {
        var progress = new Progress(Time);
        await RunAsync(call, subject, () => { progress.Use(body); return true; }, cancel, progress: progress);
    }

    /// <summary>Runs a call that must have ended before its caller goes on, however long it takes.</summary>
    public static Task RunToEndAsync(Action body) => Start(() => { body(); return true; });

    /// <summary>Waits for an operation that librbd runs, as long as it takes; says when that is long.</summary>
    public async Task<long> WatchAsync(Task<long> operation, string call, string subject)
    {
        for (var from = Time.GetTimestamp(); ;)
        {
            try
            {
                return await operation.WaitAsync(options.SlowAfter, Time);
            }
            catch (TimeoutException)
            {
                Tell(call, subject, from);
            }
        }
    }

    /// <summary>Of many that wait for the same OSD, one is told of.</summary>
    private void Tell(string call, string subject, long from)
    {
        var told = Volatile.Read(ref _told);
        if ((told == 0 || Time.GetElapsedTime(told) >= options.SlowAfter) && Interlocked.CompareExchange(ref _told, Time.GetTimestamp(), told) == told)
        {
            options.OnSlow?.Invoke(call, subject, Time.GetElapsedTime(from).TotalSeconds);
        }
    }

    /// <summary>Runs a call; what it returns too late, for a caller that has gone, is disposed.</summary>
    /// <exception cref="CephException"><see cref="Core.Model.ErrorKind.Unavailable"/>: the deadline passed.</exception>
    public async Task<T> RunAsync<T>(
        string call, string subject, Func<T> body, CancellationToken cancel, TimeSpan? patience = null, Progress? progress = null)
    {
        cancel.ThrowIfCancellationRequested();
        var wait = patience ?? Deadline;
        var work = Start(body);
        for (var left = wait; left > TimeSpan.Zero; left = progress is null ? TimeSpan.Zero : wait - progress.Age)
        {
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            if (await Task.WhenAny(work, Task.Delay(left, Time, timer.Token)) == work)
            {
                await timer.CancelAsync();
                return await work;
            }

            if (cancel.IsCancellationRequested)
            {
                break;
            }
        }

        _ = work.ContinueWith(Abandon, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        cancel.ThrowIfCancellationRequested();
        throw ThrowHelper.DeadlinePassed(call, subject, wait);
    }

    private static Task<T> Start<T>(Func<T> body) =>
        Task.Factory.StartNew(
            body, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);

    private static void Abandon<T>(Task<T> work)
    {
        if (work.IsCompletedSuccessfully)
        {
            (work.Result as IDisposable)?.Dispose();
        }
        else
        {
            // Reading it marks it as observed: whoever waited has been told of the deadline already.
            _ = work.Exception;
        }
    }
}

/// <summary>The progress of a native call: when it last gave a sign of life.</summary>
internal sealed unsafe class Progress(TimeProvider time)
{
    private long _last = time.GetTimestamp();

    /// <summary>The <c>librbd_progress_fn_t</c> that goes with <see cref="Argument"/>.</summary>
    public static delegate* unmanaged[Cdecl]<ulong, ulong, nint, int> Callback => &OnProgress;

    /// <summary>The callback's argument, while <see cref="Use"/> runs.</summary>
    public nint Argument { get; private set; }

    /// <summary>How long ago the last sign of life was.</summary>
    public TimeSpan Age => time.GetElapsedTime(Volatile.Read(ref _last));

    /// <summary>Runs a native call with <see cref="Argument"/> valid.</summary>
    public void Use(Action<Progress> body)
    {
        var self = GCHandle.Alloc(this);
        try
        {
            Argument = GCHandle.ToIntPtr(self);
            body(this);
        }
        finally
        {
            self.Free();
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(System.Runtime.CompilerServices.CallConvCdecl)])]
    private static int OnProgress(ulong offset, ulong total, nint argument)
    {
        // Nothing in here throws.
        var self = (Progress)GCHandle.FromIntPtr(argument).Target!;
        Volatile.Write(ref self._last, self.GetTimestamp());
        return 0;
    }

    private long GetTimestamp() => time.GetTimestamp();
}
