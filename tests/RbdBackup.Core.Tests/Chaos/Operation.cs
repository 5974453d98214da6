namespace RbdBackup.Core.Tests.Chaos;

/// <summary>What happens to an operation.</summary>
internal enum Mishap
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Its process dies: nothing that it calls from then on has any effect.</summary>
    Killed,

    /// <summary>It is asked to end.</summary>
    Cancelled,

    /// <summary>One call of a store fails.</summary>
    Failing,
}

/// <summary>One of the things that are done at the same time.</summary>
/// <param name="Name">What it is, for whoever looks at a failure.</param>
/// <param name="Random">Its own chance.</param>
/// <param name="Limit">How long it may take, by the clock of the world; null for readers, which may take as long as they like.</param>
/// <param name="Mishap">What happens to it.</param>
/// <param name="At">Its turn at which that happens.</param>
internal sealed record Operation(string Name, Random Random, TimeSpan? Limit, Mishap Mishap, int At) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What it is cancelled by.</summary>
    public CancellationToken Cancel => _stop.Token;

    /// <summary>True once the mishap has happened.</summary>
    public bool Struck { get; private set; }

    /// <summary>How often others have their turn before it.</summary>
    public int Weight { get; } = 1 << Random.Next(6);

    /// <summary>How far the clock goes on with each of its turns, at most: a second to some hours.</summary>
    public TimeSpan Pace { get; } = TimeSpan.FromSeconds(Math.Pow(10, Random.NextDouble() * 4));

    /// <summary>When it began.</summary>
    public DateTimeOffset Started { get; set; }

    /// <summary>How many turns it had.</summary>
    public int Turns { get; private set; }

    /// <summary>The turn after which it rests, until it is told to go on: a reader that is slow; 0: none.</summary>
    public int RestsAfter { get; init; }

    /// <summary>True while it rests.</summary>
    public bool Rests => RestsAfter > 0 && Turns >= RestsAfter && !_goOn.Task.IsCompleted;

    /// <summary>Ends when it does not rest.</summary>
    public Task Rest => Rests ? _goOn.Task : Task.CompletedTask;

    /// <summary>Its rest is over.</summary>
    public void GoOn() => _goOn.TrySetResult();

    /// <summary>Counts a turn; a killed operation gets no further.</summary>
    public void Step()
    {
        Turns++;
        if (Turns == At && Mishap != Mishap.None)
        {
            Struck = true;
            switch (Mishap)
            {
                case Mishap.Cancelled:
                    _stop.Cancel();
                    break;
                case Mishap.Failing:
                    throw new Model.RbdBackupException(Model.ErrorKind.Unavailable, "the store does not answer, by chance");
            }
        }

        if (Struck && Mishap == Mishap.Killed)
        {
            throw new KilledException();
        }
    }

    /// <summary>True where an error is nothing but the mishap.</summary>
    public bool Explains(Exception error) => Struck && Mishap switch
    {
        Mishap.Killed => true,
        Mishap.Cancelled => error is OperationCanceledException,
        _ => error is Model.RbdBackupException { Kind: Model.ErrorKind.Unavailable },
    };

    public void Dispose() => _stop.Dispose();

    public override string ToString() => Mishap == Mishap.None ? Name : $"{Name} ({Mishap} at {At}{(Struck ? "" : ", never came so far")})";
}
