namespace RbdBackup.Core.Tests.Chaos;

/// <summary>
/// Lets operations go on in random order: each waits for its turn at every call of a store, of the cluster or of its state, and with each turn the clock goes on.
/// No operation takes longer than its limit.
/// </summary>
internal sealed class Turns : IDisposable
{
    private static readonly AsyncLocal<Operation?> Present = new();

    private readonly object _lock = new();
    private readonly Random _random;
    private readonly ManualTime _time;
    private readonly List<(Operation Operation, TaskCompletionSource Turn)> _waiting = [];
    private readonly List<Operation> _running = [];
    private readonly Thread _giver;
    private long _arrived;
    private bool _ended;

    public Turns(Random random, ManualTime time)
    {
        (_random, _time) = (random, time);
        _giver = new Thread(Give) { IsBackground = true, Name = "turns" };
        _giver.Start();
    }

    /// <summary>What is being done here; null for what is done before and after all operations.</summary>
    public static Operation? Current => Present.Value;

    /// <summary>Runs an operation.</summary>
    public async Task RunAsync(Operation operation, Func<Task> work)
    {
        Present.Value = operation;
        lock (_lock)
        {
            operation.Started = _time.Now;
            _running.Add(operation);
        }

        try
        {
            await Task.Run(work);
        }
        finally
        {
            lock (_lock)
            {
                _running.Remove(operation);
            }
        }
    }

    /// <summary>Waits for the operation's turn.</summary>
    /// <param name="mayRest">True where a slow operation may rest then.</param>
    public async Task TakeAsync(bool mayRest = false)
    {
        if (Current is not { } operation)
        {
            return;
        }

        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _waiting.Add((operation, turn));
            _arrived++;
            Monitor.Pulse(_lock);
        }

        await turn.Task;
        lock (operation)
        {
            operation.Step();
        }

        await (mayRest ? operation.Rest : Task.CompletedTask);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _ended = true;
            Monitor.Pulse(_lock);
        }

        _giver.Join();
    }

    private void Give()
    {
        while (true)
        {
            lock (_lock)
            {
                while (_waiting.Count == 0)
                {
                    if (_ended)
                    {
                        return;
                    }

                    Monitor.Wait(_lock);
                }
            }

            LetArrive();
            lock (_lock)
            {
                GiveOne();
            }
        }
    }

    /// <summary>The more of them wait, the more chance decides, and the less the machine.</summary>
    private void LetArrive()
    {
        for (var (seen, rounds) = (-1L, 0); rounds < 8; rounds++)
        {
            lock (_lock)
            {
                if (_waiting.Select(w => w.Operation).Distinct().Count() >= _running.Count(o => !o.Rests) || seen == _arrived)
                {
                    return;
                }

                seen = _arrived;
            }

            Thread.SpinWait(400);
        }
    }

    private void GiveOne()
    {
        var operations = _waiting.Select(w => w.Operation).Distinct().ToList();
        var at = _random.Next(operations.Sum(o => o.Weight));
        var next = operations.First(o => (at -= o.Weight) < 0);
        var (operation, turn) = RandomOf(_waiting.Where(w => w.Operation == next).ToList());
        _waiting.Remove((operation, turn));
        GoOn(operation.Pace * _random.NextDouble());
        turn.SetResult();
    }

    private void GoOn(TimeSpan step)
    {
        foreach (var running in _running.Where(o => o.Limit is not null))
        {
            var left = running.Started + running.Limit!.Value - _time.Now;
            step = left < step ? left : step;
        }

        // Some milliseconds always pass: no two points are of the same moment.
        _time.Now += step > TimeSpan.FromMilliseconds(10) ? step : TimeSpan.FromMilliseconds(10);
    }

    private T RandomOf<T>(List<T> of) => of[_random.Next(of.Count)];
}
