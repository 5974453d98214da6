using System.Xml.Linq;

namespace RbdBackup.Core.Tests;

/// <summary>Who may reference whom, read from the project files.</summary>
public sealed class ArchitectureTests
{
    private static readonly string[] Adapters = ["RbdBackup.Ceph", "RbdBackup.Stores", "RbdBackup.OpenStack", "RbdBackup.Messaging", "RbdBackup.Zstd"];

    /// <summary>Those that speak HTTP with services share the way to: connections, authorities, retries, logins.</summary>
    private static readonly string[] SpeakHttp = ["RbdBackup.Stores", "RbdBackup.OpenStack"];

    [Fact]
    public void Adapters_reference_the_core_and_never_each_other() =>
        Assert.All(Adapters, adapter => Assert.Equal(
            SpeakHttp.Contains(adapter) ? ["RbdBackup.Core", "RbdBackup.Http"] : ["RbdBackup.Core"], References(adapter, "ProjectReference")));

    [Fact]
    public void The_library_that_adapters_share_references_the_core_alone() =>
        Assert.Equal(["RbdBackup.Core"], References("RbdBackup.Http", "ProjectReference"));

    [Fact]
    public void The_core_references_nothing_but_the_words_of_logging_and_a_hash()
    {
        Assert.Empty(References("RbdBackup.Core", "ProjectReference"));
        Assert.Equal(["Microsoft.Extensions.Logging.Abstractions", "System.IO.Hashing"], References("RbdBackup.Core", "PackageReference"));
    }

    [Fact]
    public void Only_the_Ceph_adapter_allows_unsafe_code()
    {
        var allowing = Directory.GetFiles(Source, "*.csproj", SearchOption.AllDirectories)
            .Where(p => XDocument.Load(p).Descendants("AllowUnsafeBlocks").Any(e => e.Value == "true"))
            .Select(Path.GetFileNameWithoutExtension);
        Assert.Equal(["RbdBackup.Ceph"], allowing);
    }

    private static string Source { get; } = TopFolder.Of("src");

    private static List<string> References(string project, string kind) =>
    [
        .. XDocument.Load(Path.Combine(Source, project, $"{project}.csproj")).Descendants(kind)
            .Select(e => e.Attribute("Include")!.Value)
            .Select(r => kind == "ProjectReference" ? Path.GetFileNameWithoutExtension(r) : r),
    ];
}
