using RbdBackup.Configuration;

namespace RbdBackup.Tenants;

/// <summary>What metadata say of a policy.</summary>
/// <param name="Asked">True where they name one, known or not, or <c>none</c>.</param>
/// <param name="Active">The policy; null where it is none, is not enabled, or is not known.</param>
/// <param name="Problem">What is wrong with the name; null where nothing is. For the tenant to read.</param>
internal sealed record PolicyChoice(bool Asked, string? Active, string? Problem)
{
    private const int LongestShown = 40;

    /// <summary>The policy that is named by a text that a tenant wrote; null for none.</summary>
    public static PolicyChoice Of(string? text, IReadOnlyDictionary<string, PolicySettings> policies) => text switch
    {
        null => new(false, null, null),
        _ when policies.TryGetValue(text, out var policy) => new(true, policy.Enabled && text != "none" ? text : null, null),
        _ => new(true, null, $"unknown policy '{Shown(text)}'; known: {string.Join(", ", policies.Keys.Order(StringComparer.Ordinal))}"),
    };

    /// <summary>A tenant's text as it may go into a log or a status: ASCII, one line, not long.</summary>
    public static string Shown(string text)
    {
        var plain = new string([.. text.Take(LongestShown).Select(c => c is >= ' ' and <= '~' and not '\'' ? c : '?')]);
        return text.Length > LongestShown ? plain + "..." : plain;
    }
}
