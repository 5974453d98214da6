using System.Text.Encodings.Web;
using System.Text.Json;

namespace RbdBackup.Cli;

/// <summary>How JSON looks: names stay readable, as it goes to terminals, logs and programs, never into HTML.</summary>
internal static class JsonForms
{
    /// <summary>One line: an error, a line of the log.</summary>
    public static JsonSerializerOptions Line { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Indented: a result.</summary>
    public static JsonSerializerOptions Document { get; } = new(Line) { WriteIndented = true };
}
