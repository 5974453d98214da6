namespace RbdBackup.Ceph.Tests;

/// <summary>The programs of native/, built where they are not up to date.</summary>
public static class NativeTools
{
    private static readonly Lazy<Task<string>> Folder = new(BuildAsync);

    public static async Task<string> PathAsync(string program) => Path.Combine(await Folder.Value, program);

    private static async Task<string> BuildAsync()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "native", "CMakeLists.txt")))
        {
            root = Path.GetDirectoryName(root)
                ?? throw new InvalidOperationException("The tests do not run within a checkout: native/ was not found");
        }

        var folder = Path.Combine(root, ".build", "native");
        await Shell.RunAsync("cmake", "-S", Path.Combine(root, "native"), "-B", folder);
        await Shell.RunAsync("cmake", "--build", folder);
        return folder;
    }
}
