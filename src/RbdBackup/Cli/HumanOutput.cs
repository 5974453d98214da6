using Spectre.Console;

namespace RbdBackup.Cli;

/// <summary>Text for people: tables drawn on a terminal, plain aligned columns for <c>grep</c> and <c>awk</c> elsewhere.</summary>
public sealed class HumanOutput(TextWriter writer, bool terminal)
{
    /// <summary>Writes a line.</summary>
    public void Line(string line) => writer.WriteLine(line);

    /// <summary>Writes names and values, one a line; those without a value are left out.</summary>
    public void Fields(params IEnumerable<(string Name, string? Value)> fields)
    {
        var shown = fields.Where(f => f.Value is not null).ToList();
        var width = shown.Select(f => f.Name.Length).DefaultIfEmpty().Max();
        foreach (var (name, value) in shown)
        {
            writer.WriteLine($"{name.PadRight(width)}  {value}");
        }
    }

    /// <summary>Writes a table. A header that begins with <c>&gt;</c> aligns its column to the right.</summary>
    public void Table(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        if (terminal)
        {
            DrawTable(headers, rows);
            return;
        }

        var lines = rows.Prepend([.. headers.Select(h => h.TrimStart('>'))]).ToList();
        var widths = headers.Select((_, column) => lines.Max(l => l[column].Length)).ToList();
        foreach (var line in lines)
        {
            var cells = line.Select(
                (cell, column) => headers[column][0] == '>' ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]));
            writer.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }

    private void DrawTable(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var header in headers)
        {
            var column = new TableColumn(new Text(header.TrimStart('>'), new Style(decoration: Decoration.Bold)));
            table.AddColumn(header[0] == '>' ? column.RightAligned() : column);
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => new Text(cell)));
        }

        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer) }).Write(table);
    }
}
