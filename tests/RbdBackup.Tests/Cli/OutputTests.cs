using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using RbdBackup.Cli;
using RbdBackup.Commands;
using RbdBackup.Core.Model;

namespace RbdBackup.Tests.Cli;

public sealed class OutputTests : IDisposable
{
    private static readonly DocumentJson Json = DocumentJson.Shared;
    private readonly StringWriter _out = new();

    public void Dispose() => _out.Dispose();

    [Fact]
    public void Json_is_snake_case_with_names_for_images()
    {
        var id = Guid.NewGuid();
        Output(json: true).Write(
            [new WorkerCommand.ScheduledDocument(id, new ImageSpec("vms", "ns", "a_disk"), null, Queued: true)], Json.IEnumerableScheduledDocument, _ => Assert.Fail("not for people"));
        using var document = JsonDocument.Parse(_out.ToString());
        Assert.Equal($$"""[{"id":"{{id}}","image":"vms/ns/a_disk","policy":null,"queued":true}]""", JsonSerializer.Serialize(document.RootElement));
    }

    public static TheoryData<Type> Enumerations() => [.. typeof(DocumentJson).GetProperties()
        .Select(p => p.PropertyType).Where(t => t.IsGenericType && t.GetGenericTypeDefinition() == typeof(JsonTypeInfo<>))
        .Select(t => t.GetGenericArguments()[0]).Where(t => t.IsEnum)];

    [Theory]
    [MemberData(nameof(Enumerations))]
    public void Enumerations_are_words_in_json(Type type) =>
        Assert.Matches("^\"[a-z_]+\"$", JsonSerializer.Serialize(Enum.GetValues(type).GetValue(0), type, Json.Options));

    [Fact]
    public void One_command_writes_one_document()
    {
        var output = Output(json: true);
        output.Write(new ConfigCommand.TextDocument("1"), Json.TextDocument, _ => { });
        Assert.Throws<InvalidOperationException>(() => output.Write(new ConfigCommand.TextDocument("2"), Json.TextDocument, _ => { }));
    }

    [Fact]
    public void Tables_are_plain_and_aligned_where_there_is_no_terminal()
    {
        Output(json: false).Write(new ConfigCommand.TextDocument(""), Json.TextDocument, human => human.Table(["ID", ">SIZE", "WHY"], [["a", "10", "x"], ["bcd", "5", ""]]));
        Assert.Equal("ID   SIZE  WHY\na      10  x\nbcd     5\n", _out.ToString());
    }

    [Fact]
    public void Fields_without_a_value_are_left_out()
    {
        Output(json: false).Write(new ConfigCommand.TextDocument(""), Json.TextDocument, human => human.Fields(("id", "1"), ("base", null), ("reason", "r")));
        Assert.Equal("id      1\nreason  r\n", _out.ToString());
    }

    [Fact]
    public void Bytes_don_t_go_to_a_terminal_or_into_json()
    {
        Assert.Equal(ErrorKind.Usage, Assert.Throws<RbdBackupException>(() => Output(json: true).OpenBinary()).Kind);
        Assert.Equal(ErrorKind.Usage, Assert.Throws<RbdBackupException>(() => new Output(new CliHost(_out, _out) { OutputIsTerminal = true }, json: false).OpenBinary()).Kind);
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(4L << 30, "4 GiB")]
    [InlineData(long.MaxValue, "8 EiB")]
    public void Bytes_are_written_for_people(long bytes, string expected) => Assert.Equal(expected, Humanize.Bytes(bytes));

    private Output Output(bool json) => new(new CliHost(_out, TextWriter.Null), json);
}
