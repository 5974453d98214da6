using FsCheck;
using FsCheck.Fluent;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Tests.Configuration;

public class IniFileTests
{
    [Theory]
    [InlineData("[ceph]\nconf = /a", "ceph|conf|/a|f:2")]
    [InlineData("[ceph]\nconf:/a", "ceph|conf|/a|f:2")]
    [InlineData("[store]\nurl = s3://b/p", "store|url|s3://b/p|f:2")]
    [InlineData("[store]\nurl: s3://b/p?x=y", "store|url|s3://b/p?x=y|f:2")]
    [InlineData("[ceph]\r\nconf=/a\r\n", "ceph|conf|/a|f:2")]
    [InlineData("[CEPH]\nconf = \"/a b\"", "ceph|conf|/a b|f:2")]
    [InlineData("[ceph]\nconf = '/a\"'", "ceph|conf|/a\"|f:2")]
    [InlineData("[ceph]\nconf = # no comment", "ceph|conf|# no comment|f:2")]
    [InlineData("[DEFAULT]\n; a comment\n# another\nlog_file =", "DEFAULT|log_file||f:4")]
    [InlineData("[policy:daily]\npool = vms,\n  volumes\n\timages\n", "policy:daily|pool|vms,\nvolumes\nimages|f:2")]
    public void Reads_one_assignment(string text, string expected)
    {
        var entry = Assert.Single(IniFile.Parse(text, "f"));
        Assert.Equal(expected, $"{entry.Section}|{entry.Key}|{entry.Value}|{entry.Origin}");
    }

    [Fact]
    public void Keeps_duplicate_keys_and_sections_in_order()
    {
        var entries = IniFile.Parse("[a]\nx=1\nx=2\n[b]\ny=3\n[a]\nx=4\n", "f");
        Assert.Equal(["a.x=1", "a.x=2", "b.y=3", "a.x=4"], entries.Select(e => $"{e.Section}.{e.Key}={e.Value}"));
    }

    [Theory]
    [InlineData("  x = 1", "f:1: a line that starts with white space")]
    [InlineData("[a]\n\n  x = 1", "f:3: a line that starts with white space")]
    [InlineData("[a]\nx = 1\n# comment\n  2", "f:4: a line that starts with white space")]
    [InlineData("[a\nx = 1", "f:1: '[a' is not a section")]
    [InlineData("[]", "f:1: '[]' is not a section")]
    [InlineData("x = 1", "f:1: 'x' stands before the first section")]
    [InlineData("[a]\nsecret words", "f:2: neither a section")]
    [InlineData("[a]\n= 1", "f:2: neither a section")]
    public void Says_where_a_line_is_wrong(string text, string expected)
    {
        var error = Assert.Throws<RbdBackupException>(() => IniFile.Parse(text, "f"));
        Assert.Equal(ErrorKind.Usage, error.Kind);
        Assert.StartsWith(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_is_read_or_refused_as_usage() =>
        Prop.ForAll<string>(text =>
        {
            try
            {
                IniFile.Parse(text ?? "", "f");
            }
            catch (RbdBackupException e)
            {
                Assert.Equal(ErrorKind.Usage, e.Kind);
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_is_written_is_read()
    {
        var value = Gen.Elements("/a", "b c", "1", "x=y", "x:y", "#", "$x", "é", "a;b").ArrayOf().Where(v => v.Length > 0).ToArbitrary();
        Prop.ForAll(value, lines =>
        {
            var text = "[s]\nbefore = 1\nkey = " + string.Join("\n  ", lines) + "\nafter = 2\n";
            Assert.Equal(["1", string.Join('\n', lines), "2"], IniFile.Parse(text, "f").Select(e => e.Value));
        }).QuickCheckThrowOnFailure();
    }
}
