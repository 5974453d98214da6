using System.CommandLine;
using System.Globalization;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup pin POINT --until DATE --why TEXT</c> and <c>unpin POINT</c>.</summary>
internal static class PinCommand
{
    private static readonly Argument<string> Point = new("POINT") { Description = "The restore point's id." };
    private static readonly Option<string> Until = new("--until")
    {
        Description = "The last day on which it holds, as YYYY-MM-DD, or a time such as 2027-01-31T12:00+01:00.",
        HelpName = "DATE",
        Required = true,
    };

    private static readonly Option<string> Why = new("--why") { Description = "Why, for whoever wonders later.", HelpName = "TEXT", Required = true };

    public static Command Create() =>
        new Command("pin", "Keeps a point, and what it stands on, until a day, whatever its policy says.") { Point, Until, Why }.Runs(PinAsync);

    public static Command CreateUnpin() => new Command("unpin", "Ends a point's pin; from then on its policy decides.") { Point }.Runs(UnpinAsync);

    /// <summary>A pin in <c>--json</c>.</summary>
    public static PinDocument Document(Pin pin) => new(pin.Point.ToString(), pin.Until, pin.Why, pin.By, pin.Written);

    /// <summary>A pin's end for people.</summary>
    public static string Time(DateTimeOffset until) => until == DateTimeOffset.MaxValue ? "(can't be read)" : Humanize.Time(until);

    private static async Task PinAsync(CommandContext context, CancellationToken cancel)
    {
        var until = ParseUntil(context.Get(Until)!, context.Time);
        var why = context.Get(Why)!.Trim();
        if (why.Length is 0 or > 1000 || why.Any(char.IsControl))
        {
            throw new RbdBackupException(ErrorKind.Usage, "--why is empty, longer than 1000 characters, or has control characters", "Say in a sentence why the point is kept.");
        }

        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var manifest = await repository.FindAsync(PointId.Parse(context.Get(Point)), cancel);
        var pin = await new PinStore(repository).PutAsync(manifest, until, why, Environment.UserName, cancel);
        context.Output.Write(Document(pin), DocumentJson.Shared.PinDocument, human => human.Line($"{pin.Point} of {manifest.Disk.Spec} stays until {Humanize.Time(until)}, and so does what it stands on."));
    }

    private static async Task UnpinAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await Services.Of(context).OpenRepositoryAsync(create: false, cancel);
        var manifest = await repository.FindAsync(PointId.Parse(context.Get(Point)), cancel);
        var pins = new PinStore(repository);
        if ((await pins.ReadAsync(null, cancel, manifest.Point)).GetValueOrDefault(manifest.Point) is not { } pin)
        {
            throw new RbdBackupException(ErrorKind.NotFound, $"point {manifest.Point} of {manifest.Disk.Spec} is not pinned", "'rbdbackup list' shows the pins.");
        }

        await pins.PutAsync(manifest, null, pin.Why, Environment.UserName, cancel);
        context.Output.Write(
            new UnpinnedDocument(manifest.Point.ToString(), pin.Until), DocumentJson.Shared.UnpinnedDocument,
            human => human.Line($"{manifest.Point} of {manifest.Disk.Spec} is not pinned any more."));
    }

    /// <summary>A day means up to its end, in the time zone of the process.</summary>
    private static DateTimeOffset ParseUntil(string text, TimeProvider time)
    {
        DateTimeOffset? until =
            DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day) && day < DateOnly.MaxValue ? EndOf(day)
            : text.Contains('T', StringComparison.Ordinal) && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var exact) ? exact
            : null;
        return until is null
            ? throw new RbdBackupException(ErrorKind.Usage, $"--until: '{text}' is not a date", "Write YYYY-MM-DD, or a time such as 2027-01-31T12:00+01:00.")
            : until > time.GetUtcNow()
                ? until.Value
                : throw new RbdBackupException(ErrorKind.Usage, $"--until: {text} has passed", "Give a day to come; 'unpin' ends a pin.");
    }

    private static DateTimeOffset EndOf(DateOnly day)
    {
        var midnight = day.AddDays(1).ToDateTime(TimeOnly.MinValue);
        return new DateTimeOffset(midnight, TimeZoneInfo.Local.GetUtcOffset(midnight));
    }

    /// <summary>A pin, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record PinDocument(string Point, DateTimeOffset? Until, string Why, string By, DateTimeOffset Written);

    /// <summary>A pin that was ended.</summary>
    internal sealed record UnpinnedDocument(string Point, DateTimeOffset? WasPinnedUntil);
}
