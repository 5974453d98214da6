using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using RbdBackup.Core.Model;

namespace RbdBackup.Zstd.Tests;

public sealed class MissingLibraryTests
{
    /// <summary>A second copy of the assembly, whose libzstd can't be found.</summary>
    [Fact]
    public void Without_libzstd_a_codec_says_what_to_install()
    {
        var copy = new AssemblyLoadContext("without libzstd").LoadFromAssemblyPath(typeof(CodecFactory).Assembly.Location);
        NativeLibrary.SetDllImportResolver(copy, (name, _, _) => throw new DllNotFoundException(name));
        var create = copy.GetType(typeof(CodecFactory).FullName!)!.GetMethod(nameof(CodecFactory.Create))!;

        var error = Assert.IsType<RbdBackupException>(Assert.Throws<TargetInvocationException>(() => create.Invoke(null, ["zstd"])).InnerException);
        Assert.Equal("libzstd.so.1, which compresses and decompresses, can't be loaded", error.Message);
        Assert.Equal("Install it (Debian's package libzstd1).", error.Remedy);
    }
}
