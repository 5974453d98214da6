namespace RbdBackup.Cli;

/// <summary>Standard error, shared by log lines, notes and one status line at the bottom, so that they don't run into each other.</summary>
public sealed class StandardError(TextWriter writer)
{
    private const string EraseLine = "\r\e[K";
    private readonly Lock _lock = new();
    private string _status = "";

    /// <summary>Writes a line above the status line.</summary>
    public void WriteLine(string line)
    {
        lock (_lock)
        {
            writer.WriteLine(_status.Length == 0 ? line : $"{EraseLine}{line}");
            writer.Write(_status);
            writer.Flush();
        }
    }

    /// <summary>Shows a status line in the place of the one before. Only for a terminal.</summary>
    public void SetStatus(string status)
    {
        lock (_lock)
        {
            _status = status;
            writer.Write(EraseLine + status);
            writer.Flush();
        }
    }

    /// <summary>Takes the status line away.</summary>
    public void ClearStatus()
    {
        lock (_lock)
        {
            if (_status.Length > 0)
            {
                SetStatus("");
            }
        }
    }
}
