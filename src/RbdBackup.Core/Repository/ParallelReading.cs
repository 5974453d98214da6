using System.Runtime.CompilerServices;

namespace RbdBackup.Core.Repository;

/// <summary>Work on many things, several at a time, with the results in order and no more of them in memory than are under way.</summary>
internal static class ParallelReading
{
    /// <summary>Calls <paramref name="work"/> for each item; the results come in the items' order. The first error ends it, after all calls ended.</summary>
    /// <param name="items">The items.</param>
    /// <param name="atATime">The calls that run at a time.</param>
    /// <param name="work">The work on one item.</param>
    /// <param name="cancel">Ends it.</param>
    public static async IAsyncEnumerable<TResult> SelectParallelAsync<T, TResult>(
        this IAsyncEnumerable<T> items, int atATime, Func<T, CancellationToken, Task<TResult>> work, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var running = new Queue<Task<TResult>>(atATime);
        try
        {
            await foreach (var item in items.WithCancellation(stop.Token))
            {
                if (running.Count == atATime)
                {
                    yield return await running.Dequeue();
                }

                running.Enqueue(Task.Run(() => work(item, stop.Token), stop.Token));
            }

            while (running.TryDequeue(out var next))
            {
                yield return await next;
            }
        }
        finally
        {
            // Whoever stops reading early must not leave calls behind that use what is closed next.
            await stop.CancelAsync();
            await Task.WhenAll(running).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }
}
