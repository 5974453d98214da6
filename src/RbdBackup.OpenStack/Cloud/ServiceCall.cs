using System.Text.Json.Nodes;
using RbdBackup.Core.Model;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>One call of a service.</summary>
/// <param name="Method">What to do.</param>
/// <param name="Path">Below the service's URL, escaped, starting with '/'.</param>
/// <param name="Doing">At what we are, for errors: "showing the server x".</param>
internal sealed record ServiceCall(HttpMethod Method, string Path, string Doing)
{
    /// <summary>What is sent; null for nothing.</summary>
    public JsonObject? Body { get; init; }

    /// <summary>The query; members that are null are left out.</summary>
    public IReadOnlyDictionary<string, string?> Query { get; init; } = new Dictionary<string, string?>();

    /// <summary>True where doing it twice is the same as doing it once. What is posted is not, unless somebody says so.</summary>
    public bool IsRepeatable { get; init; } = Method != HttpMethod.Post;

    /// <summary>An id or a key as one part of a path, whatever a tenant put into it.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/> for what would name another resource.</exception>
    public static string Part(string text) => text is "" or "." or ".."
        ? throw new RbdBackupException(ErrorKind.Usage, $"'{text}' can't be an id or a key of OpenStack's.", "Correct it.")
        : Uri.EscapeDataString(text);
}
