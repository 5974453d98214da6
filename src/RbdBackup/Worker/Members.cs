using System.Text.Json;
using System.Text.Json.Serialization;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Worker;

/// <summary>A disk whose metadata named a policy.</summary>
/// <param name="Image">The disk.</param>
/// <param name="Policy">The policy; null where the metadata no longer names one.</param>
/// <param name="Project">The OpenStack project: as Nova or Cinder said it, or, without [keystone], as the message claimed.</param>
internal sealed record Member(ImageSpec Image, string? Policy, string? Project)
{
    /// <summary>The server that has it; null for none, and without [keystone].</summary>
    public string? Server { get; init; }

    /// <summary>The volume that it is; null for a disk of Nova's, and without [keystone].</summary>
    public string? Volume { get; init; }

    /// <summary>True where Nova or Cinder said whose it is.</summary>
    public bool Proven { get; init; }

    /// <summary>True where its server's metadata chose the policy, not its own.</summary>
    public bool ByServer { get; init; }

    /// <summary>How often it became a policy's.</summary>
    public int Times { get; init; }
}

/// <summary>How it is written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(ImageSpecJsonConverter)])]
[JsonSerializable(typeof(Member))]
internal sealed partial class MemberJson : JsonSerializerContext;

/// <summary>The disks that tenants protect by metadata, remembered in RADOS so that every worker's schedule has them.</summary>
internal sealed class Members(IStateStore state)
{
    private const string Name = "members";

    /// <summary>All disks with a policy.</summary>
    public async Task<IReadOnlyList<Member>> ReadAsync(CancellationToken cancel) =>
        [.. (await ReadAllAsync(cancel)).Values.Where(m => m.Policy is not null)];

    /// <summary>The same, and those that had one.</summary>
    public async Task<IReadOnlyDictionary<ImageSpec, Member>> ReadAllAsync(CancellationToken cancel) =>
        (await state.ReadAsync(Name, cancel)).Values.Select(Parse).OfType<Member>().DistinctBy(m => m.Image).ToDictionary(m => m.Image);

    /// <summary>Remembers a disk's policy, and says whether it is another one than before. Last one wins: the services' messages come in order.</summary>
    public async Task<bool> RememberAsync(Member member, CancellationToken cancel)
    {
        var known = (await state.ReadAsync(Name, cancel)).TryGetValue(member.Image.ToString(), out var json) ? Parse(json)?.Policy : null;
        if (known == member.Policy)
        {
            return false;
        }

        await WriteAsync(member, cancel);
        return true;
    }

    /// <summary>Writes a disk's record as it is.</summary>
    public Task WriteAsync(Member member, CancellationToken cancel) =>
        state.WriteUnleasedAsync(Name, member.Image.ToString(), JsonSerializer.SerializeToUtf8Bytes(member, MemberJson.Default.Member), cancel);

    /// <summary>Forgets disks that are gone.</summary>
    public async Task ForgetAsync(IReadOnlyCollection<ImageSpec> images, CancellationToken cancel)
    {
        await using var lease = await state.AcquireAsync(Name, cancel);
        await lease.UpdateAsync(new Dictionary<string, byte[]>(), [.. images.Select(i => i.ToString())], cancel);
    }

    /// <summary>Whose disk it is, by the image's name, of one that was remembered before that was written down.</summary>
    private static Member Known(Member member)
    {
        var name = member.Image.Name;
        return member is not { Server: null, Volume: null } ? member
            : name.StartsWith("volume-", StringComparison.Ordinal) && Guid.TryParseExact(name["volume-".Length..], "D", out _) ? member with { Volume = name["volume-".Length..] }
            : name.IndexOf('_', StringComparison.Ordinal) is > 0 and var at && Guid.TryParseExact(name[..at], "D", out _) ? member with { Server = name[..at] }
            : member;
    }

    private static Member? Parse(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, MemberJson.Default.Member) is { } member ? Known(member) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
