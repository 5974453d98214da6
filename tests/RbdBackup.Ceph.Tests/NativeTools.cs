namespace RbdBackup.Ceph.Tests;

/// <summary>The programs of native/, built where they are not up to date.</summary>
public static class NativeTools
{
    private static readonly Lazy<Task<string>> Folder = new(BuildAsync);

    public static async Task<string> PathAsync(string program) => Path.Combine(await Folder.Value, program);

    private static async Task<string> BuildAsync()
    {
        var folder = TopFolder.Of(".build/native");
        await Shell.RunAsync("cmake", "-S", TopFolder.Of("native"), "-B", folder);
        await Shell.RunAsync("cmake", "--build", folder);
        return folder;
    }
}
