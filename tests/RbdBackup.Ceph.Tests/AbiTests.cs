using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using RbdBackup.Ceph.Native;

namespace RbdBackup.Ceph.Tests;

/// <summary>What C# declares of librados and librbd, beside what the installed headers say.</summary>
public sealed class AbiTests
{
    [Fact]
    public async Task Every_struct_and_constant_is_as_the_headers_have_it()
    {
        var probe = await Shell.RunAsync(await NativeTools.PathAsync("abi_probe"));

        Assert.Equal(
            probe.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal),
            Structs().Concat(Constants()).Order(StringComparer.Ordinal));
    }

    private static IEnumerable<string> Structs() =>
        from type in NativeTypes()
        where type.IsValueType && !type.IsNested
        from line in type.GetFields(BindingFlags.Instance | BindingFlags.Public)
            .Select(f => $"field {type.Name}.{f.Name} {Marshal.OffsetOf(type, f.Name)}")
            .Prepend($"struct {type.Name} {Marshal.SizeOf(type)}")
        select line;

    private static IEnumerable<string> Constants() =>
        from type in NativeTypes()
        where type.Name.EndsWith("Constants", StringComparison.Ordinal) || type.Name == nameof(Errno)
        from field in type.GetFields(BindingFlags.Static | BindingFlags.Public)
        select $"const {field.Name} {Convert.ToInt64(field.GetRawConstantValue(), CultureInfo.InvariantCulture)}";

    private static IEnumerable<Type> NativeTypes() => typeof(Errno).Assembly.GetTypes().Where(t => t.Namespace == typeof(Errno).Namespace);
}
