using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.OpenStack.Cloud;

namespace RbdBackup.OpenStack.Tests.Cloud;

/// <summary>Which version of an interface is spoken, and where.</summary>
public sealed class MicroversionTests
{
    [Theory]
    [InlineData("2.1", "2.93", "2.93")] // Zed
    [InlineData("2.1", "2.100", "2.93")] // newer than we know
    [InlineData("2.1", "2.79", "2.79")] // Train
    [InlineData("2.1", "2.78", null)] // older than we can
    [InlineData("2.94", "2.120", null)] // it forgot all that we know
    [InlineData("2.90", "2.120", "2.93")]
    public void The_newest_that_both_know_is_spoken(string min, string max, string? chosen)
    {
        Assert.True(Microversion.TryParse(min, out var oldest) & Microversion.TryParse(max, out var newest));
        Assert.Equal(chosen, Microversion.Negotiate(new(2, 79), new(2, 93), oldest, newest)?.ToString());
    }

    [Theory]
    [InlineData("""{"version": {"id": "v2.1", "version": "2.88", "min_version": "2.1"}}""", "compute 2.88")]
    [InlineData("""{"versions": [{"id": "v2.0", "version": "", "min_version": ""}, {"id": "v2.1", "version": "2.95", "min_version": "2.1"}]}""", "compute 2.93")]
    public void The_version_document_is_read_in_both_forms(string document, string header) => Assert.Equal(header, Negotiate(document));

    [Theory]
    [InlineData("""{"version": {"id": "v2.1", "version": "2.72", "min_version": "2.1"}}""", "speaks microversions 2.1 to 2.72")]
    [InlineData("""{"version": {"id": "v2.0", "version": "", "min_version": ""}}""", "speaks no microversions")]
    [InlineData("{}", "speaks no microversions")]
    public void A_service_that_is_too_old_is_told_with_what_is_needed(string document, string why)
    {
        var e = Assert.Throws<RbdBackupException>(() => Negotiate(document));
        Assert.Equal(ErrorKind.Unsupported, e.Kind);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.Contains("2.79 to 2.93", e.Message, StringComparison.Ordinal);
        Assert.Contains("Train", e.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://host:8774/v2.1", "https://host:8774/v2.1")]
    [InlineData("https://host/compute/v2.1/1234", "https://host/compute/v2.1")]
    [InlineData("https://host/compute", "https://host/compute/v2.1")]
    [InlineData("https://host/v2", "https://host/v2.1")]
    [InlineData("https://v2host/compute", "https://v2host/compute/v2.1")]
    public void The_catalogues_URL_may_have_a_version_and_a_project_or_not(string inCatalogue, string root) =>
        Assert.Equal(root, ServiceEndpoint.RootOf(ServiceKind.Nova, inCatalogue));

    private static string Negotiate(string document) => ServiceEndpoint.Negotiate(
        ServiceKind.Nova, ServiceKind.Nova.Needed!, "https://host/v2.1", JsonSerializer.Deserialize(document, EndpointJson.Default.VersionDocument)!);
}
