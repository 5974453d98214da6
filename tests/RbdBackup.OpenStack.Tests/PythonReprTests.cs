using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace RbdBackup.OpenStack.Tests;

public class PythonReprTests
{
    [Fact]
    public void ReadsWhatARealPythonWrote()
    {
        // Written by CPython 3.11: str() of each dictionary.
        using var table = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "TestData", "python-reprs.json")));
        foreach (var row in table.RootElement.EnumerateArray())
        {
            var repr = row.GetProperty("repr").GetString()!;
            Assert.True(PythonRepr.TryReadDictionary(repr, out var read), repr);
            Assert.Equal(row.GetProperty("means").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString()!), read);
        }

        Assert.Equal(58, table.RootElement.GetArrayLength());
    }

    [Fact]
    public void NoMetadataIsAnEmptyString()
    {
        Assert.True(PythonRepr.TryReadDictionary("", out var read));
        Assert.Empty(read);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(" ")]
    [InlineData("None")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("}")]
    [InlineData("{}x")]
    [InlineData("{} ")]
    [InlineData("{'a'}")]
    [InlineData("{'a': }")]
    [InlineData("{'a': 'b'")]
    [InlineData("{'a': 'b'}}")]
    [InlineData("{'a': 'b',}")]
    [InlineData("{'a': 'b', }")]
    [InlineData("{'a':'b'}")]
    [InlineData("{'a': 'b' }")]
    [InlineData("{'a': 'b', 'a': 'c'}")]
    [InlineData("{'a': 'b\"}")]
    [InlineData("{'a': b}")]
    [InlineData("{'a': nan}")]
    [InlineData("{'a': 1.5}")]
    [InlineData("{'a': 1_000}")]
    [InlineData("{'a': --1}")]
    [InlineData("{'a': {}}")]
    [InlineData("{'a': ['b']}")]
    [InlineData("{'a': b'b'}")]
    [InlineData("{1: 'b'}")]
    [InlineData("{'a': 'b' 'c'}")]
    [InlineData("{'a': __import__('os').system('id')}")]
    [InlineData("{'a': '\\'}")]
    [InlineData("{'a': '\\q'}")]
    [InlineData("{'a': '\\0'}")]
    [InlineData("{'a': '\\x4'}")]
    [InlineData("{'a': '\\x-1'}")]
    [InlineData("{'a': '\\ud800'}")]
    [InlineData("{'a': '\\U00110000'}")]
    [InlineData("{'a': '\\UFFFFFFFF'}")]
    [InlineData("{'a': '\\N{BULLET}'}")]
    [InlineData("{'a': '\n'}")]
    [InlineData("{'a': '\u0007'}")]
    [InlineData("{\"a\": 'b'} # comment")]
    public void RefusesWhatReprDoesNotWrite(string? text) => Assert.False(PythonRepr.TryReadDictionary(text, out _));

    [Fact]
    public void RefusesWhatIsTooLong() =>
        Assert.False(PythonRepr.TryReadDictionary($"{{'a': '{new string('x', PythonRepr.MaxLength)}'}}", out _));

    [Fact]
    public void AnswersWhateverTheTextIs() => Prop.ForAll<string, int, int>((noise, at, cut) =>
    {
        const string good = "{'backup': 'true', \"it's\": 'x\\u00e9\\n', 'n': None}";
        var begin = Math.Abs((long)at) % good.Length;
        var text = good[..(int)begin] + noise + good[(int)Math.Min(good.Length, begin + (Math.Abs((long)cut) % 8))..];
        return !PythonRepr.TryReadDictionary(text, out var read) || read.Count <= text.Length / 6;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
}
