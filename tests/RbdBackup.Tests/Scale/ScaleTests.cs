using System.Text.Json;
using RbdBackup.Core.Model;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Tests;
using RbdBackup.Zstd;

namespace RbdBackup.Tests.Scale;

/// <summary>Commands on generated repositories.</summary>
public sealed class ScaleTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    private string Store => Directory.CreateDirectory(Path.Combine(_folder.Path, "store")).FullName;

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// tests/bench_rotate makes its repositories here: RBDBACKUP_GENERATE is the store's URL, the numbers of disks and of points, and how many days ago the last one was made, with
    /// blanks between. What is there already stays.
    /// </summary>
    [Fact]
    public async Task A_generated_repository_has_all_its_points_in_order()
    {
        var wanted = (Environment.GetEnvironmentVariable("RBDBACKUP_GENERATE") ?? $"file://{Store} 9 4 0").Split(' ');
        var (disks, points) = (int.Parse(wanted[1]), int.Parse(wanted[2]));
        await using var store = GeneratedRepository.Open(wanted[0]);
        await GeneratedRepository.MakeAsync(store, disks, points, DateTimeOffset.UtcNow.AddDays(-int.Parse(wanted[3])));
        using var codec = CodecFactory.Create("none");
        await using var repository = await PointRepository.OpenAsync(store, codec, TimeProvider.System, create: false, CancellationToken.None);
        var keys = await repository.ListAsync(Keys.PointsPrefix, CancellationToken.None).ToListAsync();
        Assert.Equal(disks * points, keys.Count);
        Assert.Equal(keys.OrderBy(k => k.Disk, StringComparer.Ordinal).ThenBy(k => k.Point), keys);
        var newest = await repository.ReadNewestAsync(CancellationToken.None).ToListAsync();
        Assert.Equal(keys.GroupBy(k => k.Disk).Select(d => d.Last().Point), newest.Select(m => m.Point));
        Assert.Equal(points, (await repository.ReadChainAsync(newest[^1], CancellationToken.None)).Count);
    }

    [Fact]
    public async Task Rotate_says_in_json_what_it_would_do_and_why_then_does_it()
    {
        await MakeAsync(disks: 3, points: 10);
        const string policy = "[policy:daily]\nkeep_last = 2\nkeep_daily = 3\n[policy:longer]\nfor_image = vms/disk-000001\nkeep_last = 5\n";
        var planned = await JsonAsync(policy, "rotate", "--dry-run");
        Assert.Equal(["dry_run", "points", "errors"], planned.EnumerateObject().Select(p => p.Name));
        Assert.True(planned.GetProperty("dry_run").GetBoolean());
        var points = planned.GetProperty("points").EnumerateArray().ToList();
        Assert.Equal(["id", "image", "created", "kind", "keep", "consolidate", "reasons", "policies", "failed"], points[0].EnumerateObject().Select(p => p.Name));
        Assert.Equal(30, points.Count);
        Assert.Equal("kkk kkkkk kkk", string.Join(' ', points.GroupBy(p => Text(p, "image")).Select(d => string.Concat(d.Where(p => Flag(p, "keep")).Select(_ => 'k')))));
        Assert.Equal([7, 15, 27], points.Index().Where(p => Flag(p.Item, "consolidate")).Select(p => p.Index));
        Assert.Equal("not one of the last 2; its day is not one of the last 3", string.Join("; ", points[0].GetProperty("reasons").EnumerateArray()));
        Assert.Equal(("daily", "longer"), (points[0].GetProperty("policies")[0].GetString(), points[10].GetProperty("policies")[0].GetString()));
        Assert.Equal(30, (await JsonAsync(policy, "list")).GetArrayLength());

        var done = await JsonAsync(policy, "rotate");
        Assert.Equal(points.Select(p => (Text(p, "id"), Flag(p, "keep"))), done.GetProperty("points").EnumerateArray().Select(p => (Text(p, "id"), Flag(p, "keep"))));
        Assert.Equal(points.Where(p => Flag(p, "keep")).Select(p => Text(p, "id")), (await JsonAsync(policy, "list")).EnumerateArray().Select(p => Text(p, "id")));
        Assert.All((await JsonAsync(policy, "rotate", "--dry-run")).GetProperty("points").EnumerateArray(), p => Assert.True(Flag(p, "keep")));
        Assert.Equal(5, (await JsonAsync(policy, "list", "vms/disk-000001")).GetArrayLength());
    }

    [Fact]
    public async Task A_pin_is_shown_holds_and_ends()
    {
        await MakeAsync(disks: 1, points: 5);
        const string policy = "[policy:daily]\nkeep_last = 1\n";
        var second = Text((await JsonAsync(policy, "list"))[1], "id");
        var pinned = await JsonAsync(policy, "pin", second, "--until", "2999-12-31", "--why", "the auditors");
        Assert.Equal(["point", "until", "why", "by", "written"], pinned.EnumerateObject().Select(p => p.Name));
        Assert.Equal(3000, pinned.GetProperty("until").GetDateTimeOffset().ToLocalTime().Year);
        Assert.Equal("the auditors", Text((await JsonAsync(policy, "list"))[1], "pinned_why"));
        Assert.Equal(JsonValueKind.Null, (await JsonAsync(policy, "list"))[0].GetProperty("pinned_until").ValueKind);
        Assert.Equal("the auditors", Text((await JsonAsync(policy, "show", second)).GetProperty("pin"), "why"));
        Assert.Contains("PINNED UNTIL", (await RunAsync(policy, "list")).Output, StringComparison.Ordinal);
        Assert.Equal("kkddk", await VerdictsAsync(policy));
        await JsonAsync(policy, "unpin", second);
        Assert.Equal("ddddk", await VerdictsAsync(policy));
        Assert.Equal(3, (await RunAsync(policy, "unpin", second)).ExitCode);
    }

    [Theory]
    [InlineData("2020-01-01", "why", "has passed")]
    [InlineData("tomorrow", "why", "'tomorrow' is not a date")]
    [InlineData("2999-01-01", " ", "--why is empty")]
    public async Task A_pin_without_a_day_to_come_or_a_reason_is_refused(string until, string why, string expected)
    {
        await MakeAsync(disks: 1, points: 1);
        var result = await RunAsync("", "pin", PointId.New(DateTimeOffset.UtcNow).ToString(), "--until", until, "--why", why);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_clock_in_the_future_refuses_a_disk_and_the_command_ends_as_partly_done()
    {
        await MakeAsync(disks: 2, points: 3);
        await using (var store = GeneratedRepository.Open($"file://{Store}"))
        {
            await using var future = await TestRepository.OpenAsync(store: store);
            future.Time.Now = DateTimeOffset.UtcNow.AddDays(3);
            await future.AddAsync([], [], null, TestRepository.Disk("disk-000000"), policy: "daily");
        }

        var result = await RunAsync("[policy:daily]\nkeep_last = 1\n", "rotate", "--json");
        Assert.Equal(11, result.ExitCode);
        Assert.Contains("error: vms/disk-000000: point ", result.Error, StringComparison.Ordinal);
        var document = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal("refused", Text(Assert.Single(document.GetProperty("errors").EnumerateArray()), "kind"));
        Assert.Equal(5, (await JsonAsync("", "list")).GetArrayLength());
    }

    private async Task MakeAsync(int disks, int points)
    {
        await using var store = GeneratedRepository.Open($"file://{Store}");
        await GeneratedRepository.MakeAsync(store, disks, points, DateTimeOffset.UtcNow.AddHours(-1));
    }

    private async Task<string> VerdictsAsync(string configuration) => string.Concat(
        (await JsonAsync(configuration, "rotate", "--dry-run")).GetProperty("points").EnumerateArray().Select(p => Flag(p, "keep") ? 'k' : 'd'));

    private async Task<JsonElement> JsonAsync(string configuration, params string[] args)
    {
        var result = await RunAsync(configuration, [.. args, "--json"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return JsonDocument.Parse(result.Output).RootElement;
    }

    private Task<CliResult> RunAsync(string configuration, params string[] args) =>
        CliResult.RunAsync([.. args, "--config-file", _folder.Write("rotate.conf", configuration), "--store", $"file://{Store}"]);

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static bool Flag(JsonElement element, string name) => element.GetProperty(name).GetBoolean();
}
