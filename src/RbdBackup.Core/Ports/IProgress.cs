namespace RbdBackup.Core.Ports;

/// <summary>Where work says how far it is. Calls are cheap and may come from any thread, many times a second.</summary>
public interface IProgressReporter
{
    /// <summary>A reporter that tells nobody.</summary>
    static IProgressReporter None { get; } = new SilentProgress();

    /// <summary>Says how far a phase is; a new <paramref name="phase"/> ends the one before.</summary>
    /// <param name="phase">What is being done, in a word or a few: <c>export</c>, <c>verify</c>.</param>
    /// <param name="done">How much of it is done, in <paramref name="unit"/>.</param>
    /// <param name="total">How much there is to do; 0 where that is not known.</param>
    /// <param name="unit">The UCUM unit: <c>By</c> for bytes, <c>{point}</c> for things that are counted.</param>
    void Report(string phase, long done, long total, string unit);

    private sealed class SilentProgress : IProgressReporter
    {
        public void Report(string phase, long done, long total, string unit)
        {
        }
    }
}
