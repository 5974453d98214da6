using System.Diagnostics;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;

namespace RbdBackup.Stores.Tests;

public sealed class FolderStoreTests : StoreContract
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rbdbackup-store-").FullName;

    private static CancellationToken None => CancellationToken.None;

    protected override bool KeysMayNest => false;

    protected override Task<IObjectStore> OpenEmptyAsync() => Task.FromResult(OpenAt(_folder));

    public override Task DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task An_object_is_a_plain_file_that_others_can_not_read()
    {
        await Store.PutAsync("a/b", new(Bytes(7)), None);
        var path = Path.Combine(_folder, "a/b");
        Assert.Equal(Bytes(7), await File.ReadAllBytesAsync(path));
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(path) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite));
    }

    [Theory]
    [InlineData((1 << 20) - 1)]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) + 1)]
    [InlineData(2 << 20)]
    [InlineData((4 << 20) + 4095)]
    [InlineData((4 << 20) + 4097)]
    public async Task What_goes_past_the_cache_is_there_to_its_last_byte(int length)
    {
        var bytes = Bytes(length);
        await Store.PutAsync("k", Sequence(bytes, 777_777), None);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(Path.Combine(_folder, "k")));
        Assert.Equal(bytes, await Store.GetAsync("k", length, None));
    }

    [Fact]
    public async Task A_missing_folder_is_not_made()
    {
        var missing = Path.Combine(_folder, "mount");
        var store = OpenAt(missing);
        foreach (var act in new Func<Task>[]
        {
            () => store.CheckAsync(None), () => store.PutAsync("k", new(Bytes(1)), None), () => store.GetAsync("k", 1, None),
            () => store.StatAsync("k", None), () => store.DeleteAsync("k", None), () => store.ListAsync("", None).ToListAsync().AsTask(),
        })
        {
            var e = await FailsAsync(ErrorKind.NotFound, act);
            Assert.Contains(missing, e.Message, StringComparison.Ordinal);
            Assert.False(Directory.Exists(missing));
        }
    }

    [Fact]
    public async Task A_mount_that_goes_away_while_we_work_is_not_written_below()
    {
        await Store.PutAsync("one", new(Bytes(1)), None);
        Directory.Delete(_folder, recursive: true);
        Directory.CreateDirectory(_folder);
        var e = await FailsAsync(ErrorKind.NotFound, () => Store.PutAsync("a/two", new(Bytes(1)), None));
        Assert.Contains("still mounted", e.Remedy, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    public async Task A_key_is_never_written_over()
    {
        await Store.PutAsync("k", new(Bytes(1000)), None);
        var other = Bytes(1000);
        other[999] ^= 1;
        await FailsAsync(ErrorKind.Refused, () => Store.PutAsync("k", new(other), None));
        await FailsAsync(ErrorKind.Refused, () => Store.PutAsync("k", new(other[..999]), None));
        Assert.Equal(Bytes(1000), await Store.GetAsync("k", 1000, None));
        Assert.Empty(Temporaries());
    }

    [Fact]
    public async Task Two_that_delete_a_folder_s_last_objects_at_once_both_end_well()
    {
        for (var n = 0; n < 200; n++)
        {
            var keys = Enumerable.Range(0, 4).Select(i => $"deep/{n}/{i}").ToList();
            foreach (var key in keys)
            {
                await Store.PutAsync(key, new(Bytes(1)), None);
            }

            await Task.WhenAll(keys.Select(k => Store.DeleteAsync(k, None)));
        }

        Assert.Empty(await Store.ListAsync("deep/", None).ToListAsync());
    }

    [Fact]
    public async Task Deletions_leave_no_empty_folders()
    {
        await Store.PutAsync("a/b/c", new(Bytes(1)), None);
        await Store.PutAsync("a/d", new(Bytes(1)), None);
        await Store.DeleteAsync("a/b/c", None);
        Assert.False(Directory.Exists(Path.Combine(_folder, "a/b")));
        await Store.DeleteAsync("a/d", None);
        Assert.False(Directory.Exists(Path.Combine(_folder, "a")));
        Assert.True(Directory.Exists(_folder));
    }

    [Fact]
    public async Task The_check_removes_what_dead_uploads_left_and_nothing_else()
    {
        await Store.PutAsync("k", new(Bytes(1)), None);
        var temporaries = Path.Combine(_folder, ".tmp+");
        await File.WriteAllTextAsync(Path.Combine(temporaries, "dead"), "half");
        File.SetLastWriteTimeUtc(Path.Combine(temporaries, "dead"), DateTime.UtcNow.AddDays(-2));
        await File.WriteAllTextAsync(Path.Combine(temporaries, "living"), "half");
        await Store.CheckAsync(None);
        Assert.Equal(["living"], Temporaries());
        Assert.Equal(["k"], await KeysAsync(""));
    }

    [Fact]
    public async Task Files_that_are_not_ours_are_not_listed()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "lost+found"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "read me"), "");
        Assert.Empty(await KeysAsync(""));
    }

    [Theory]
    [InlineData(600_000, 600_000)]
    [InlineData(600_000, 5_000_000)]
    public async Task A_full_disk_is_no_space_and_loses_nothing(int first, int second)
    {
        // A file system of 1 MiB is a real full disk.
        Root("mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", _folder);
        try
        {
            await Store.PutAsync("a/first", new(Bytes(first)), None);
            var e = await FailsAsync(ErrorKind.NoSpace, () => Store.PutAsync("a/second", new(Bytes(second)), None));
            Assert.Contains(Path.Combine(_folder, "a/second"), e.Message, StringComparison.Ordinal);
            Assert.Contains("gc", e.Remedy, StringComparison.Ordinal);
            Assert.Empty(Temporaries());
            Assert.Equal(["a/first"], await KeysAsync(""));
            await Store.PutAsync("a/third", new(Bytes(100_000)), None);
        }
        finally
        {
            Root("umount", _folder);
        }
    }

    [Fact]
    public async Task A_read_only_file_system_can_be_read_and_refuses_writes()
    {
        Root("mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", _folder);
        try
        {
            await Store.PutAsync("k", new(Bytes(1)), None);
            Root("mount", "-o", "remount,ro", _folder);
            await Store.CheckAsync(None);
            Assert.Equal(Bytes(1), await Store.GetAsync("k", 1, None));
            await FailsAsync(ErrorKind.Permission, () => Store.PutAsync("l", new(Bytes(1)), None));
            await FailsAsync(ErrorKind.Permission, () => Store.DeleteAsync("k", None));
        }
        finally
        {
            Root("umount", _folder);
        }
    }

    [Fact]
    public async Task What_the_user_may_not_do_is_a_permission_error_and_never_a_gap()
    {
        await Store.PutAsync("a/b", new(Bytes(1)), None);
        File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        File.SetUnixFileMode(Path.Combine(_folder, "a"), UnixFileMode.None);
        foreach (var act in new Func<Task>[]
        {
            () => OpenAt(_folder).PutAsync("k", new(Bytes(1)), None),
            () => Store.GetAsync("a/b", 1, None),
            () => Store.ListAsync("", None).ToListAsync().AsTask(),
        })
        {
            var e = Assert.IsType<RbdBackupException>(Nobody.Run(act));
            Assert.True(e.Kind == ErrorKind.Permission, e.ToString());
            Assert.Contains(_folder, e.Remedy, StringComparison.Ordinal);
        }
        File.SetUnixFileMode(Path.Combine(_folder, "a"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static IObjectStore OpenAt(string folder) => StoreFactory.Open($"file://{folder}", new StoreOptions());

    private IEnumerable<string?> Temporaries() => Directory.EnumerateFiles(Path.Combine(_folder, ".tmp+")).Select(Path.GetFileName);

    /// <summary>Runs a command as root, through sudo where the tests run as somebody else.</summary>
    private static void Root(params string[] command)
    {
        string[] whole = Environment.IsPrivilegedProcess ? command : ["sudo", "-n", .. command];
        using var process = Process.Start(whole[0], whole[1..]);
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"'{string.Join(' ', whole)}' ended with {process.ExitCode}.");
    }
}
