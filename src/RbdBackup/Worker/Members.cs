using System.Text.Json;
using RbdBackup.Cli;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Worker;

/// <summary>A disk whose metadata named a policy.</summary>
/// <param name="Image">The disk.</param>
/// <param name="Policy">The policy; null where the metadata no longer names one.</param>
/// <param name="Project">The OpenStack project, as the message claimed.</param>
internal sealed record Member(ImageSpec Image, string? Policy, string? Project);

/// <summary>The disks that tenants protect by metadata, remembered in RADOS so that every worker's schedule has them.</summary>
internal sealed class Members(IStateStore state)
{
    private const string Name = "members";

    /// <summary>All disks with a policy.</summary>
    public async Task<IReadOnlyList<Member>> ReadAsync(CancellationToken cancel) =>
        [.. (await state.ReadAsync(Name, cancel)).Values.Select(Parse).OfType<Member>().Where(m => m.Policy is not null)];

    /// <summary>Remembers a disk's policy, and says whether it is another one than before. Last one wins: the services' messages come in order.</summary>
    public async Task<bool> RememberAsync(Member member, CancellationToken cancel)
    {
        var known = (await state.ReadAsync(Name, cancel)).TryGetValue(member.Image.ToString(), out var json) ? Parse(json)?.Policy : null;
        if (known == member.Policy)
        {
            return false;
        }

        await state.WriteUnleasedAsync(Name, member.Image.ToString(), JsonSerializer.SerializeToUtf8Bytes(member, Output.JsonOptions), cancel);
        return true;
    }

    private static Member? Parse(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize<Member>(json, Output.JsonOptions);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
