using System.Diagnostics;
using System.Runtime.Versioning;

namespace RbdBackup.Tests.DevStack;

/// <summary>What the DevStack plugin does to Nova's and Cinder's configuration files. That the services read it so, devstack/check-plugin shows.</summary>
public sealed class NotificationOptionsTests : IDisposable
{
    private const string Url = "rabbit://user:secret@host:5672/";
    private const string Told = "[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url = other\n";
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("topics = notifications\n", "topics = notifications,ours\n")]
    [InlineData("topics = notifications,ceilometer\n", "topics = notifications,ceilometer,ours\n")]
    [InlineData("topics=notifications, ceilometer\n", "topics=notifications, ceilometer,ours\n")]
    [InlineData("topics : notifications\n", "topics : notifications,ours\n")]
    [InlineData("topics = 'notifications'\n", "topics = 'notifications,ours'\n")]
    [InlineData("topics = not,in,force\ntopics = notifications\n", "topics = not,in,force\ntopics = notifications,ours\n")]
    [InlineData("topics = notifications,\n  ceilometer\n", "topics = notifications,\n  ceilometer,ours\n")]
    [InlineData("topics =\n", "topics = ours\n")]
    [InlineData("topics = notifications,yours,ourselves\n", "topics = notifications,yours,ourselves,ours\n")]
    [InlineData("topics = notifications\n[other]\ntopics = stay\n", "topics = notifications,ours\n[other]\ntopics = stay\n")]
    [InlineData("# topics = comment\ntopics = notifications\n", "# topics = comment\ntopics = notifications,ours\n")]
    public void A_topic_is_appended_once_to_the_list_that_counts_and_taken_out_again(string before, string after)
    {
        var file = _folder.Write("cinder.conf", Told + before);
        Assert.Equal(Told + after, Add(file, "cinder"));
        Assert.Equal(Told + after, Add(file, "cinder"));
        Assert.Equal(Told + before, Remove(file, "cinder"));
        Assert.Equal(Told + before, Remove(file, "cinder"));
    }

    [Fact]
    public void What_is_missing_is_added_and_goes_again()
    {
        const string Before = "[DEFAULT]\ndebug = true\n";
        var file = _folder.Write("nova.conf", Before);
        var options = Lines(Add(file, "nova"));
        Assert.Equal(
            [
                "[DEFAULT]", "[notifications]", "[oslo_messaging_notifications]", "bdms_in_notifications = true", "debug = true", "driver = messagingv2", "notification_format = both",
                "notify_on_state_change = vm_and_task_state", "topics = notifications,ours", $"transport_url = {Url}", "versioned_notifications_topics = versioned_notifications,ours_too",
            ],
            options.Order(StringComparer.Ordinal));
        Assert.Equal(File.ReadAllText(file), Add(file, "nova"));
        Assert.Equal(Before, Remove(file, "nova"));
    }

    [Fact]
    public void What_is_there_stays_also_where_older_releases_had_it()
    {
        const string There = "[DEFAULT]\nnotify_on_state_change = vm_state\nnotification_topics = ceilometer\nnotification_driver = messaging\n"
            + "[notifications]\nbdms_in_notifications = false\nnotification_format = unversioned\n[oslo_messaging_notifications]\ntransport_url = other\n";
        var file = _folder.Write("nova.conf", There);
        var lines = Lines(Add(file, "nova"));
        Assert.Contains("notification_topics = ceilometer,ours", lines);
        Assert.DoesNotContain(lines, l => l.StartsWith("topics", StringComparison.Ordinal) || l.StartsWith("driver", StringComparison.Ordinal) || l.Contains("task_state", StringComparison.Ordinal));
        Assert.Equal(There, Remove(file, "nova"));
    }

    [Fact]
    public void What_somebody_else_appended_later_stays()
    {
        var file = _folder.Write("cinder.conf", "[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url = other\n");
        _folder.Write("cinder.conf", Add(file, "cinder").Replace("\ntopics = notifications,ours\n", "\ntopics = notifications,ours,theirs\n", StringComparison.Ordinal));
        Assert.Equal(Told.Replace("driver", "topics = notifications,theirs\ndriver", StringComparison.Ordinal), Remove(file, "cinder"));
    }

    [Fact]
    public void The_services_own_topic_is_not_taken_away()
    {
        const string There = Told + "topics = ceilometer,notifications\n";
        var file = _folder.Write("cinder.conf", There);
        Run("add", "cinder", file, "notifications", "versioned_notifications", "both");
        Run("remove", "cinder", file, "notifications", "versioned_notifications");
        Assert.Equal(There, File.ReadAllText(file));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void The_file_keeps_its_mode()
    {
        var file = _folder.Write("nova.conf", "", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Add(file, "nova");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(file));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    private static string[] Lines(string text) => [.. text.Split('\n').Where(l => l.Length > 0 && !l.StartsWith('#'))];

    private static string Add(string file, string service) => Run("add", service, file, "ours", "ours_too", "both");

    private static string Remove(string file, string service) => Run("remove", service, file, "ours", "ours_too");

    /// <summary>Runs the script; the file's text after it.</summary>
    private static string Run(string what, string service, string file, params string[] rest)
    {
        var script = TopFolder.Of("devstack/notification_options.py");
        var start = new ProcessStartInfo("python3", [script, what, service, file, .. rest]) { RedirectStandardInput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        process.StandardInput.Write(Url + "\n");
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error);
        return File.ReadAllText(file);
    }
}
