namespace RbdBackup.OpenStack;

/// <summary>What Cinder's notifications mean.</summary>
internal static class CinderMeaning
{
    /// <summary>The meaning of one notification.</summary>
    public static DiskEvent Of(Notification n, MeaningOptions options)
    {
        var origin = NotificationMeaning.Origin(n);
        if (NotificationMeaning.Uuid(n.Payload, "volume_id") is not { } id)
        {
            return new Ignored("its volume's id is no UUID", origin);
        }

        var disk = options.Disk(DiskKind.Volume, id);
        return n.EventType switch
        {
            "snapshot.create.end" => SnapshotCreated(n, disk, options, origin),
            "volume.delete.start" => new ReleaseDisk(disk, ReleaseReason.Deleting, origin),
            "volume.delete.end" => new DiskGone(disk, origin),

            // Cinder tells of a retype only when it is done.
            "volume.retype" => new ReleaseDisk(disk, ReleaseReason.Retyped, origin),
            "volume.create.end" => Volume(n, disk, PolicyCause.Appeared, options, origin),
            "volume.update.end" => Volume(n, disk, PolicyCause.Edited, options, origin),
            var e when e.StartsWith("snapshot.", StringComparison.Ordinal) =>
                new Ignored("a Cinder snapshot is never a base: a backup of it asks for it when it is made", origin),
            var e when e.EndsWith(".end", StringComparison.Ordinal) => Volume(n, disk, PolicyCause.Mentioned, options, origin),
            _ => new Ignored("an action begins or failed: its end says what came of it", origin),
        };
    }

    private static DiskEvent Volume(Notification n, DiskRef disk, PolicyCause cause, MeaningOptions options, EventOrigin origin) =>
        n.Payload.Text("status") is "error" or "error_deleting" or "deleting" or "deleted"
            ? new Ignored("the volume is on its way out, or in error", origin)
            : VolumeMetadata.TryRead(n.Payload, out var metadata)
                ? NotificationMeaning.Policy(disk, metadata, cause, options, origin)
                : new Ignored("its metadata is no list of keys and values", origin);

    private static DiskEvent SnapshotCreated(Notification n, DiskRef disk, MeaningOptions options, EventOrigin origin)
    {
        if (NotificationMeaning.Uuid(n.Payload, "snapshot_id") is not { } id)
        {
            return new Ignored("its snapshot's id is no UUID", origin);
        }

        if (n.Payload.Text("status") != "available")
        {
            return new Ignored("the snapshot did not become available", origin);
        }

        // Never logged with the text: it is a tenant's.
        if (!PythonRepr.TryReadDictionary(n.Payload.Text("metadata"), out var metadata))
        {
            return new Ignored("its metadata is no Python dictionary of strings", origin);
        }

        return options.AsksForSnapshot(metadata)
            ? new SnapshotBackupAsked(disk, id.ToString("D"), options.SnapshotName(id), origin)
            : new Ignored("the snapshot does not ask for a backup", origin);
    }
}
