using RbdBackup.Core.Jobs;

namespace RbdBackup.EndToEnd.Failure;

/// <summary>Bad input, whoever sends it: a clear error with its exit code, and nothing lost.</summary>
public sealed class BadInputTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 4 << 20;

    [Theory]
    [InlineData(2, "not a restore point's id", "show", "not-an-id")]
    [InlineData(3, "there is no point", "show", "01a1fc1d-8bdf-7218-bc04-a7c202a551e5")]
    [InlineData(3, "no-such-image", "backup", "image", "vms/no-such-image")]
    [InlineData(3, "no-such-pool", "backup", "image", "no-such-pool/a")]
    [InlineData(2, "does not name an image", "backup", "image", "just-a-name")]
    [InlineData(2, "is not the id of a volume", "backup", "volume", "../../x")]
    [InlineData(2, "there is no policy", "backup", "image", "vms/a", "--policy", "hourly")]
    [InlineData(2, "gopher", "list", "--store", "gopher://x")]
    [InlineData(3, "no-such-folder", "list", "--store", "file:///no-such-folder")]
    public async Task Wrong_names_and_options_are_named(int code, string says, params string[] arguments)
    {
        using var sandbox = await WithRepositoryAsync();
        await ExpectAsync(sandbox, code, says, arguments);
    }

    [Fact]
    public async Task Damaged_segments_are_found_and_the_image_stays_as_it_was()
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 2 << 20, seed: 1);
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        var segment = Directory.GetFiles(Path.Combine(sandbox.StoreFolder, "data", point), "0*").Single();
        var good = await File.ReadAllBytesAsync(segment);
        var content = await image.ReadAsync();

        foreach (var damage in new Func<byte[]>[] { () => good[..(good.Length / 2)], () => Flip(good, good.Length / 3), () => [] })
        {
            await File.WriteAllBytesAsync(segment, damage());
            await ExpectAsync(sandbox, 7, point, "restore", point, "--replace");
            await ExpectAsync(sandbox, 7, point, "export", point, "-o", Path.Combine(sandbox.Folder, "stream"));
            Assert.Equal(content, await image.ReadAsync());
            Assert.False(File.Exists(Path.Combine(sandbox.Folder, "stream")));
        }

        await File.WriteAllBytesAsync(segment, good);
        await sandbox.DoAsync("restore", point, "--replace");
        Assert.Equal(content, await image.ReadAsync());
    }

    [Fact]
    public async Task A_newer_repository_is_refused_in_words()
    {
        using var sandbox = await WithRepositoryAsync();
        var header = Directory.GetFiles(sandbox.StoreFolder, "repository.*").Single();
        await File.WriteAllTextAsync(header, (await File.ReadAllTextAsync(header)).Replace("\"required_features\":[]", "\"required_features\":[\"time-travel\"]", StringComparison.Ordinal));
        await ExpectAsync(sandbox, 8, "time-travel", "list");
    }

    [Fact]
    public async Task A_bucket_a_secret_and_an_endpoint_that_are_wrong_are_told_apart()
    {
        using var bucket = new Sandbox("store.url=s3://no-such-bucket-here", $"store.s3_endpoint_url={Mini.S3Url}");
        await ExpectAsync(bucket, 3, "no-such-bucket-here", "list");
        using var secret = new Sandbox(
            $"store.url=s3://{Mini.S3Bucket}", $"store.s3_endpoint_url={Mini.S3Url}", $"store.s3_access_key={Mini.Setting("AWS_ACCESS_KEY_ID")}", "store.s3_secret_key=wrong");
        await ExpectAsync(secret, 5, Mini.S3Bucket, "list");
        using var endpoint = new Sandbox($"store.url=s3://{Mini.S3Bucket}", "store.s3_endpoint_url=http://127.0.0.1:9");
        await ExpectAsync(endpoint, 6, "127.0.0.1:9", "list");
        string[] swift = [$"store.swift_auth_url={Mini.Setting("RBDBACKUP_TEST_SWIFT_AUTH_URL")}", $"store.swift_username={Mini.Setting("RBDBACKUP_TEST_SWIFT_USER")}"];
        using var container = new Sandbox(["store.url=swift://no-such-container", .. swift, $"store.swift_password={Mini.Setting("RBDBACKUP_TEST_SWIFT_KEY")}"]);
        await ExpectAsync(container, 3, "no-such-container", "list");
        using var password = new Sandbox(["store.url=swift://no-such-container", .. swift, "store.swift_password=wrong"]);
        await ExpectAsync(password, 5, Mini.Setting("RBDBACKUP_TEST_SWIFT_USER"), "list");
    }

    [Fact]
    public async Task A_user_without_capabilities_and_a_missing_state_pool_are_named()
    {
        await using var image = await mini.CreateAsync(Size);
        using var nobody = new Sandbox("ceph.user=client.nobody-here");
        await ExpectAsync(nobody, 5, "client.nobody-here", "backup", "image", image.ToString());
        using var pool = new Sandbox("ceph.state_pool=no-such-state", "ceph.user=client.admin");
        await ExpectAsync(pool, 3, "no-such-state", "backup", "image", image.ToString());
    }

    [Fact]
    public async Task A_broker_that_is_down_is_named_with_host_and_port()
    {
        using var sandbox = new Sandbox("notifications.transport_url=rabbit://u:secret-word@127.0.0.1:9/");
        var result = await ExpectAsync(sandbox, 6, "127.0.0.1:9", "backup", "image", "vms/a", "--queue");
        Assert.DoesNotContain("secret-word", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_under_migration_is_refused()
    {
        await using var image = await mini.CreateAsync(Size);
        await using var target = mini.Target();
        await Tool.RbdAsync("migration", "prepare", image.ToString(), target.ToString());
        try
        {
            using var sandbox = new Sandbox();
            await ExpectAsync(sandbox, 8, "migration", "backup", "image", target.ToString());
        }
        finally
        {
            await Tool.RbdAsync("migration", "abort", target.ToString(), "--no-progress");
        }
    }

    [Fact]
    public async Task A_mirror_that_is_not_primary_is_refused()
    {
        var ns = Mini.NewName();
        await Tool.RbdAsync("namespace", "create", $"vms/{ns}");
        try
        {
            await using var image = await mini.CreateAsync(Size, @namespace: ns);
            await Tool.RbdAsync("mirror", "pool", "enable", "vms", "image");
            await Tool.RbdAsync("mirror", "pool", "enable", $"vms/{ns}", "image");
            await Tool.RbdAsync("mirror", "image", "enable", image.ToString(), "snapshot");
            using var sandbox = new Sandbox();
            await sandbox.DoAsync("backup", "image", image.ToString());
            await Tool.RbdAsync("mirror", "image", "demote", image.ToString());
            await ExpectAsync(sandbox, 8, "not primary", "backup", "image", image.ToString());
            await Tool.RbdAsync("mirror", "image", "promote", image.ToString());
            await sandbox.DoAsync("backup", "image", image.ToString());
            await Tool.RbdAsync("mirror", "image", "disable", image.ToString());
        }
        finally
        {
            await Tool.RbdAsync("namespace", "remove", $"vms/{ns}");
        }
    }

    [Fact]
    public async Task An_image_in_use_or_with_others_snapshots_is_not_replaced_unless_told()
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        var point = (await sandbox.DoAsync("backup", "image", image.ToString())).GetProperty("id").GetString()!;
        await ExpectAsync(sandbox, 10, "--replace", "restore", point);
        await image.UseAsync(async _ => await ExpectAsync(sandbox, 4, "has it open", "restore", point, "--replace"));
        await image.SnapshotAsync("somebody-elses");
        await ExpectAsync(sandbox, 10, "somebody-elses", "restore", point, "--replace");

        var result = await sandbox.DoAsync("restore", point, "--replace", "--lose-snapshots");
        image.Replaced.Add(result.GetProperty("replaced_image_id").GetString()!);
        await sandbox.DoAsync("restore", "--undo", image.ToString());
        Assert.Contains((await image.InfoAsync()).Snapshots, s => s.Name == "somebody-elses");
    }

    [Fact]
    public async Task A_leased_image_is_busy_and_the_holder_is_named()
    {
        using var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(Size);
        var info = await image.InfoAsync();
        await using var state = new Ceph.RadosStateStore(mini.Admin, "rbdbackup", "rbdbackup");
        await using var lease = await state.AcquireAsync(StateKeys.Image(info), default);
        await ExpectAsync(sandbox, 4, Environment.MachineName, "backup", "image", image.ToString());
    }

    [Fact]
    public async Task A_full_disk_is_said_and_with_room_the_same_command_finishes_the_job()
    {
        using var sandbox = new Sandbox("repository.segment_size=1MiB", "repository.uploads=1");
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, Size, seed: 1);
        await Tool.RunAsync("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", sandbox.StoreFolder);
        try
        {
            await ExpectAsync(sandbox, 9, sandbox.StoreFolder, "backup", "image", image.ToString());
            var begun = Path.GetFileName(Directory.GetDirectories(Path.Combine(sandbox.StoreFolder, "data")).Single());
            await Tool.RunAsync("mount", "-o", "remount,size=64m", sandbox.StoreFolder);
            var done = await sandbox.DoAsync("backup", "image", image.ToString());
            Assert.Equal(begun, done.GetProperty("id").GetString());
            Assert.Equal(await image.ReadAsync(), await sandbox.ExportFullAsync(begun));
        }
        finally
        {
            await Tool.RunAsync("umount", sandbox.StoreFolder);
        }
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        var flipped = bytes.ToArray();
        flipped[at] ^= 4;
        return flipped;
    }

    private async Task<Sandbox> WithRepositoryAsync()
    {
        var sandbox = new Sandbox();
        await using var image = await mini.CreateAsync(1 << 20);
        await sandbox.DoAsync("backup", "image", image.ToString());
        return sandbox;
    }

    /// <summary>The error must have its exit code, say what it is about, and say what to do.</summary>
    private static async Task<CommandResult> ExpectAsync(Sandbox sandbox, int code, string says, params string[] arguments)
    {
        var result = await sandbox.RunAsync(arguments);
        Assert.True(code == result.ExitCode, $"{string.Join(' ', arguments)}: exit code {result.ExitCode}, not {code}: {result.Error}");
        Assert.Contains(says, result.Error, StringComparison.Ordinal);
        Assert.Contains("\"remedy\":\"", result.Error, StringComparison.Ordinal);
        return result;
    }
}
