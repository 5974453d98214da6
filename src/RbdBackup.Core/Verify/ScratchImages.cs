using System.Text.Json;
using System.Text.RegularExpressions;
using RbdBackup.Core.Jobs;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Core.Verify;

/// <summary>An image that a verification fills, written down before it is made.</summary>
/// <param name="Image">Its name, <c>pool[/namespace]/name</c>.</param>
/// <param name="Point">The point.</param>
/// <param name="Started">When it was begun.</param>
public sealed record ScratchRecord(string Image, PointId Point, DateTimeOffset Started);

/// <summary>
/// Scratch images of verifications. Each is recorded in the state store, under a lease, before it is made; so one that a killed run left is known by its
/// record, whose lease nobody holds, and nothing else is ever removed.
/// </summary>
internal sealed partial class ScratchImages(IImageCluster cluster, IStateStore state)
{
    private const string Record = "scratch";

    private static readonly Dictionary<string, byte[]> Nothing = [];

    /// <summary>A new name. Not beginning with a server's id: Nova's clean-up deletes every image that does.</summary>
    public static ImageSpec NewName(ImageSpec near, DateTimeOffset now) => near.WithName($"rbdbackup.{Guid.CreateVersion7(now):D}.verify");

    /// <summary>Lets a work have an image under a name of its own, and removes it whatever happens.</summary>
    /// <param name="lease">The lease of <see cref="StateKeys.Scratch"/>.</param>
    /// <param name="scratch">What to write down.</param>
    /// <param name="work">Makes and uses the image.</param>
    /// <param name="cancel">Ends the work; not the removal.</param>
    public async Task UseAsync(ILease lease, ScratchRecord scratch, Func<ImageSpec, Task> work, CancellationToken cancel)
    {
        await RemoveAsync(lease, cancel);
        await lease.UpdateAsync(new Dictionary<string, byte[]> { [Record] = JsonSerializer.SerializeToUtf8Bytes(scratch, VerifyJson.Default.ScratchRecord) }, [], cancel);
        Checkpoints.Pass("verify.recorded");
        try
        {
            await work(ImageSpec.Parse(scratch.Image));
        }
        finally
        {
            await RemoveAsync(lease, CancellationToken.None);
        }
    }

    /// <summary>Removes the images that killed runs left. One that is still watched, by the connection of a process that has just died, waits for the next sweep.</summary>
    /// <param name="onLeft">Told of what could not be removed yet.</param>
    /// <param name="cancel">Ends the sweep.</param>
    public async Task SweepAsync(Action<RbdBackupException> onLeft, CancellationToken cancel)
    {
        await foreach (var name in state.ListAsync(cancel))
        {
            if (!StateKeys.IsScratch(name) || !(await state.ReadAsync(name, cancel)).ContainsKey(Record) || await state.GetHolderAsync(name, cancel) is not null)
            {
                continue;
            }

            try
            {
                await using var lease = await state.AcquireAsync(name, cancel);
                await RemoveAsync(lease, cancel);
            }
            catch (RbdBackupException e) when (e.Kind is ErrorKind.Busy or ErrorKind.Refused or ErrorKind.Permission)
            {
                onLeft(e);
            }
        }
    }

    private async Task RemoveAsync(ILease lease, CancellationToken cancel)
    {
        var records = await state.ReadAsync(lease.Name, cancel);
        if (!records.TryGetValue(Record, out var json))
        {
            return;
        }

        var scratch = JsonSerializer.Deserialize(json, VerifyJson.Default.ScratchRecord);
        if (scratch is not null && ImageSpec.TryParse(scratch.Image, out var spec) && Ours().IsMatch(spec.Name))
        {
            await cluster.RemoveAsync(spec, cancel);
        }

        Checkpoints.Pass("verify.removed");
        await lease.UpdateAsync(Nothing, [Record], cancel);
    }

    [GeneratedRegex(@"\Arbdbackup\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.verify\z")]
    private static partial Regex Ours();
}
