using RbdBackup.Core.Model;

namespace RbdBackup.Observe;

/// <summary>A log file that may be moved away or deleted at any time: it is opened for each line, as rarely as a worker logs.</summary>
internal sealed class LogFile
{
    private readonly string _path;
    private readonly Lock _lock = new();

    /// <summary>Tries at once whether it can be written.</summary>
    public LogFile(string path)
    {
        _path = path;
        try
        {
            File.AppendAllText(path, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RbdBackupException(
                ErrorKind.Usage, $"[DEFAULT] log_file: {path} can't be written: {e.Message}",
                "Make its folder, and let this user write there.", e);
        }
    }

    public void WriteLine(string line)
    {
        lock (_lock)
        {
            try
            {
                File.AppendAllText(_path, line + "\n");
            }
            catch (IOException)
            {
                // A full disk must not end a backup; the line stands on standard error.
            }
        }
    }
}
