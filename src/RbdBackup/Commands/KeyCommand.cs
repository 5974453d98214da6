using System.CommandLine;
using RbdBackup.Cli;
using RbdBackup.Composition;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Commands;

/// <summary><c>rbdbackup key list | add | remove | rotate</c>.</summary>
internal static class KeyCommand
{
    private static readonly Argument<string> Slot = new("SLOT") { Description = "The key slot's id." };
    private static readonly Option<string?> NewFile = new("--new-key-file") { Description = "A file that holds the key to add.", HelpName = "PATH" };
    private static readonly Option<string?> NewEnvironment = new("--new-key-env") { Description = "An environment variable that holds the key to add.", HelpName = "NAME" };
    private static readonly Option<string?> NewCommand = new("--new-key-command") { Description = "A command that prints the key to add.", HelpName = "COMMAND" };
    private static readonly Option<string> Label = new("--label") { Description = "What people call the slot.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
    private static readonly Option<bool> LoseSlots = new("--lose-slots") { Description = "Removes the other slots, whose keys are not here." };
    private static readonly Option<bool> Rewrap = new("--rewrap") { Description = "Makes no new master key, only wraps for the newest what is wrapped for an older one." };

    public static Command Create() => new("key", "Shows, adds and removes the keys that open a sealed repository, and rotates its master key.")
    {
        new Command("list", "Lists the key slots.").Runs(ListAsync),
        new Command("add", "Adds a slot that another key opens.") { NewFile, NewEnvironment, NewCommand, Label }.Runs(AddAsync),
        new Command("remove", "Removes a slot.") { Slot }.Runs(RemoveAsync),
        new Command("rotate", "Makes a new master key, and wraps the data keys for it. No data moves.") { LoseSlots, Rewrap }.Runs(RotateAsync),
    };

    private static async Task ListAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await OpenAsync(context, cancel);
        var keys = new KeyManager(repository);
        var slots = (await keys.ListAsync(cancel)).Select(s => Document(s, keys)).ToList();
        context.Output.Write(slots, DocumentJson.Shared.IEnumerableSlotDocument, human => human.Table(
            ["SLOT", "KIND", "LABEL", "CREATED", ">GENERATION", "IN USE"],
            slots.Select(s => (string[])[s.Slot, s.Kind, s.Label, Humanize.Time(s.Created), s.Generation.ToString(), s.InUse ? "yes" : ""])));
    }

    private static async Task AddAsync(CommandContext context, CancellationToken cancel)
    {
        var source = new KeySource("--new-key", '-', context.Get(NewFile), context.Get(NewEnvironment), context.Get(NewCommand));
        var secret = await source.ReadAsync(cancel) ?? throw new RbdBackupException(
            ErrorKind.Usage, "there is no key to add", "Give --new-key-file, --new-key-env or --new-key-command.");
        await using var repository = await OpenAsync(context, cancel);
        var keys = new KeyManager(repository);
        Write(context, Document(await keys.AddAsync(secret, context.Get(Label)!, cancel), keys), "added");
    }

    private static async Task RemoveAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await OpenAsync(context, cancel);
        var keys = new KeyManager(repository);
        Write(context, Document(await keys.RemoveAsync(context.Get(Slot), cancel), keys), "removed");
    }

    private static async Task RotateAsync(CommandContext context, CancellationToken cancel)
    {
        await using var repository = await OpenAsync(context, cancel);
        var keys = new KeyManager(repository);
        var result = context.Get(Rewrap)
            ? await keys.RewrapAsync(context.Progress, cancel)
            : await keys.RotateAsync(context.Get(LoseSlots), context.Progress, cancel);
        context.Output.Write(result, DocumentJson.Shared.RotationResult, human => human.Fields(("generation", result.Generation.ToString()), ("keys wrapped", result.Rewrapped.ToString())));
    }

    private static Task<PointRepository> OpenAsync(CommandContext context, CancellationToken cancel) =>
        Services.Of(context).OpenRepositoryAsync(create: false, cancel);

    private static void Write(CommandContext context, SlotDocument slot, string done) => context.Output.Write(
        slot, DocumentJson.Shared.SlotDocument, human => human.Fields((done, slot.Slot), ("kind", slot.Kind), ("label", slot.Label)));

    private static SlotDocument Document(KeySlot slot, KeyManager keys) =>
        new(slot.Slot, slot.Kind, slot.Label, slot.Created, slot.Generation, slot.Slot == keys.Current.Slot);

    /// <summary>A key slot, in <c>--json</c>; docs/commands.md promises these names.</summary>
    internal sealed record SlotDocument(string Slot, string Kind, string Label, DateTimeOffset Created, int Generation, bool InUse);
}
