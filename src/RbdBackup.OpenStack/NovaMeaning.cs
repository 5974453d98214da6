using System.Text.Json;

namespace RbdBackup.OpenStack;

/// <summary>What Nova's notifications mean. Both formats are read into the same few values first, so that both mean the same.</summary>
internal static class NovaMeaning
{
    /// <summary>The meaning of one notification.</summary>
    public static DiskEvent Of(Notification n, MeaningOptions options)
    {
        var origin = NotificationMeaning.Origin(n);
        var legacy = n.Format == NotificationFormat.NovaLegacy;
        if (NotificationMeaning.Uuid(n.Payload, legacy ? "instance_id" : "uuid") is not { } id)
        {
            return new Ignored("its server's id is no UUID", origin);
        }

        var disk = options.Disk(DiskKind.Server, id);
        var action = legacy ? Versioned(n.EventType["compute.instance.".Length..]) : n.EventType["instance.".Length..];
        if (Release(action) is { } reason)
        {
            return new ReleaseDisk(disk, reason, origin);
        }

        if (action == "delete.end")
        {
            return new DiskGone(disk, origin);
        }

        if (action.EndsWith(".start", StringComparison.Ordinal) || action.EndsWith(".error", StringComparison.Ordinal))
        {
            return new Ignored("an action begins or failed: its end says what came of it", origin);
        }

        var state = State.Of(n.Payload, legacy);
        return state.WhyNoDisk is { } why
            ? new Ignored(why, origin)
            : ServerMetadata.TryRead(n.Payload, out var metadata)
                ? NotificationMeaning.Policy(disk, metadata, Cause(action, state), options, origin)
                : new Ignored("its metadata is no object of strings", origin);
    }

    /// <summary>True while Nova does something to the server: what comes of it, another message says.</summary>
    internal static bool IsAtWork(Notification n) => State.Of(n.Payload, n.Format == NotificationFormat.NovaLegacy).Task is not null;

    private static ReleaseReason? Release(string action) => action switch
    {
        "delete.start" or "force_delete.start" => ReleaseReason.Deleting,

        // Twice: at the first sign, and again in case that a backup began in between.
        "rebuild_scheduled" or "rebuild.start" => ReleaseReason.Rebuilding,
        "shelve_offload.start" => ReleaseReason.ShelveOffloading,
        "resize_prep.start" or "resize.start" => ReleaseReason.Resizing,
        _ => null,
    };

    private static PolicyCause Cause(string action, State state) => action switch
    {
        "create.end" or "unshelve.end" or "rebuild.end" => PolicyCause.Appeared,
        "update" when state is { Unchanged: true, Renamed: false } => PolicyCause.Edited,
        _ => PolicyCause.Mentioned,
    };

    private static string Versioned(string action) => action switch
    {
        "resize.prep.start" => "resize_prep.start",
        "rebuild.scheduled" => "rebuild_scheduled",
        _ => action,
    };

    /// <summary>The states in a payload; null where it names none.</summary>
    private sealed record State(string? Now, string? Task, bool Unchanged, bool Renamed)
    {
        /// <summary>Why there is no disk to speak of at this moment; null where there is one.</summary>
        public string? WhyNoDisk =>
            Task is not null ? $"Nova is at work on the server ({Known(Task)})"
            : Now is "active" or "stopped" or "paused" or "suspended" or "resized" or "rescued" or "error" ? null
            : $"the server has no disk in this state ({Known(Now)})";

        public static State Of(JsonElement payload, bool legacy)
        {
            // An update carries the states of before; a versioned one carries all of them in an object of their own.
            var update = legacy ? payload : payload.Member("state_update")?.VersionedData() ?? payload;
            var task = Word(update.Text("new_task_state")) ?? Word(payload.Text(legacy ? "state_description" : "task_state"));
            var now = update.Text("state");
            var unchanged = update.Text("old_state") == now && update.Text("old_task_state") == task;
            return new State(now, task, unchanged, !string.IsNullOrEmpty(payload.Text("old_display_name")));
        }

        // Legacy payloads say nothing with an empty string.
        private static string? Word(string? text) => string.IsNullOrEmpty(text) ? null : text;

        // It goes into a log: a word of Nova's, or nothing.
        private static string Known(string? state) =>
            state is { Length: > 0 and <= 40 } && state.All(c => char.IsAsciiLetterLower(c) || c is '_' or '-') ? state : "unknown";
    }
}
