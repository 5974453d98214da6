namespace RbdBackup.Messaging;

/// <summary>Counts what is running, so that a stop can wait for it.</summary>
internal sealed class RunningTasks
{
    private readonly Lock gate = new();
    private int running;
    private TaskCompletionSource idle = Completed();

    /// <summary>Completes when nothing runs.</summary>
    public Task WhenIdle
    {
        get
        {
            lock (gate)
            {
                return idle.Task;
            }
        }
    }

    /// <summary>Runs something and counts it meanwhile.</summary>
    public async Task RunAsync(Func<Task> work)
    {
        lock (gate)
        {
            if (running++ == 0)
            {
                idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        try
        {
            await work();
        }
        finally
        {
            lock (gate)
            {
                if (--running == 0)
                {
                    idle.SetResult();
                }
            }
        }
    }

    private static TaskCompletionSource Completed()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }
}
