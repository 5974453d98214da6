using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using RbdBackup.Core.Model;

namespace RbdBackup.Cli;

/// <summary>A command's result on standard output: with <c>--json</c> exactly one document, else text for people.</summary>
public sealed class Output
{
    private readonly CliHost _host;
    private readonly bool _json;
    private bool _written;

    internal Output(CliHost host, bool json)
    {
        _host = host;
        _json = json;
    }

    /// <summary>
    /// Writes the result: <paramref name="document"/> with <c>--json</c>, as <paramref name="type"/> says, else what <paramref name="human"/> writes. Once a
    /// command.
    /// </summary>
    public void Write<T>(T document, JsonTypeInfo<T> type, Action<HumanOutput> human)
    {
        ArgumentNullException.ThrowIfNull(human);
        Begin();
        if (_json)
        {
            _host.Output.WriteLine(JsonSerializer.Serialize(document, type));
        }
        else
        {
            human(new HumanOutput(_host.Output, _host.OutputIsTerminal));
        }
    }

    /// <summary>
    /// Writes a long list as the result. With <c>--json</c> its items go out one by one as they come, so that no list is too long for memory; text
    /// for people, whose columns have widths, is written at the end.
    /// </summary>
    /// <param name="items">The items.</param>
    /// <param name="type">How one is written with <c>--json</c>.</param>
    /// <param name="human">Writes all of them for people.</param>
    /// <param name="before">Writes what stands before the list in the document; null: the list is the document.</param>
    /// <param name="after">Writes what stands behind it.</param>
    public async Task WriteListAsync<T>(
        IAsyncEnumerable<T> items, JsonTypeInfo<T> type, Action<HumanOutput, IReadOnlyList<T>> human, Action<Utf8JsonWriter>? before = null,
        Action<Utf8JsonWriter>? after = null)
    {
        ArgumentNullException.ThrowIfNull(human);
        if (!_json)
        {
            Begin();
            human(new HumanOutput(_host.Output, _host.OutputIsTerminal), await items.ToListAsync());
            return;
        }

        const int piece = 64 << 10;
        var buffer = new ArrayBufferWriter<byte>(piece);
        await using var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = type.Options.WriteIndented, Encoder = type.Options.Encoder });
        Begin();
        before?.Invoke(json);
        json.WriteStartArray();
        await foreach (var item in items)
        {
            JsonSerializer.Serialize(json, item, type);
            if (json.BytesPending + buffer.WrittenCount >= piece)
            {
                Send();
            }
        }

        json.WriteEndArray();
        after?.Invoke(json);
        Send();
        _host.Output.WriteLine();

        void Send()
        {
            json.Flush();
            _host.Output.Write(Encoding.UTF8.GetString(buffer.WrittenSpan));
            buffer.ResetWrittenCount();
        }
    }

    /// <summary>Opens standard output for bytes in the place of a result.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Usage"/>: it is a terminal, or <c>--json</c> was asked for.</exception>
    public Stream OpenBinary()
    {
        if (_json || _host.OutputIsTerminal)
        {
            throw new RbdBackupException(
                ErrorKind.Usage,
                _json ? "bytes can't go to standard output together with --json" : "standard output is a terminal, and this writes bytes",
                "Give a file with -o, or send the output on with '>' or '|'.");
        }

        _written = true;
        return _host.OpenBinaryOutput();
    }

    private void Begin()
    {
        if (_written)
        {
            throw new InvalidOperationException("A command writes one result.");
        }

        _written = true;
    }
}
