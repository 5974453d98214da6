using System.Diagnostics;

namespace RbdBackup.Core.Tests.Diff;

/// <summary>Runs public tools (rbd, zstd), which are the judges of what we write.</summary>
internal static class Tool
{
    /// <summary>What the tool writes, given <paramref name="input"/>; an exception with its words where it fails.</summary>
    public static async Task<byte[]> RunAsync(string file, IEnumerable<string> arguments, ReadOnlyMemory<byte> input)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        using var output = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(output);
        var errors = process.StandardError.ReadToEndAsync();
        var writing = FeedAsync(process.StandardInput.BaseStream, input);
        await reading;
        await process.WaitForExitAsync();
        await writing;
        return process.ExitCode == 0
            ? output.ToArray()
            : throw new InvalidOperationException($"{file} {string.Join(' ', start.ArgumentList)} ended with {process.ExitCode}: {await errors}");
    }

    private static async Task FeedAsync(Stream to, ReadOnlyMemory<byte> input)
    {
        try
        {
            await using (to)
            {
                await to.WriteAsync(input);
            }
        }
        catch (IOException)
        {
            // The tool gave up before it had read all; its exit code and words tell why.
        }
    }
}
