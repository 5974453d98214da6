using System.Text;
using RbdBackup.Core.Copy;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Sealing;

namespace RbdBackup.Core.Tests.Copy;

/// <summary>A second site of a sealed repository: all that holds of others, and its keys.</summary>
public sealed class SealedCopyTests() : CopyTests(TestRepository.Secret)
{
    private const string Second = "a second key, for the other site";
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Nothing_of_it_is_ever_stored_plain()
    {
        await CopyAllAsync();
        string[] hidden = ["rbd diff", "conf_rbd_qos_iops_limit", "id-of-disk", "sha256", "frames", "live_bytes", "\u005D*M\u0018"];
        foreach (var key in await KeysAsync())
        {
            var content = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(Path.Combine(SiteFolder, key)));
            Assert.DoesNotContain(hidden, h => content.Contains(h, StringComparison.Ordinal));
        }

        Assert.Equal(ErrorKind.Permission, (await Assert.ThrowsAsync<RbdBackupException>(() => Test.OpenAgainAsync(null, store: Site))).Kind);
    }

    [Fact]
    public async Task A_key_that_a_collection_is_deleting_is_brought_again()
    {
        // A copy that was killed when it had brought an attempt's key, and nothing that it opens.
        Site.OnChange = key => _ = Keys.TryParseSegment(key) is null ? 0 : throw new KilledException();
        await Record.ExceptionAsync(CopyAllAsync);
        Test.Time.Now += TimeSpan.FromDays(30);
        Site.OnChange = _ => { };
        Assert.Equal(1, (await CollectThereAsync()).Candidates);
        Test.Time.Now += TimeSpan.FromDays(3);
        Site.OnChange = key =>
        {
            if (Keys.TryParseWrap(key) is not null)
            {
                Site.OnChange = _ => { };
                Assert.All(CopyAllAsync().GetAwaiter().GetResult(), r => Assert.Equal(CopyState.Copied, r.State));
            }
        };
        Assert.Equal(1, (await CollectThereAsync()).Deleted);
        await CheckAsync(Points);
    }

    [Fact]
    public async Task Keys_that_were_added_here_open_the_copy_after_the_next_one()
    {
        await CopyAllAsync();
        await AddKeyAsync(Test.Repository, Second);
        await Assert.ThrowsAsync<RbdBackupException>(() => Test.OpenAgainAsync(Second, store: Site));
        await CopyAllAsync();
        Assert.Equal(4, await (await Test.OpenAgainAsync(Second, store: Site)).ReadAllAsync(Keys.PointsPrefix, e => throw e, None).CountAsync());
    }

    [Fact]
    public async Task A_rotation_of_the_master_key_here_is_followed_killed_at_any_change_of_it()
    {
        await CopyAllAsync();
        await AddKeyAsync(await OpenThereAsync(), Second);
        await RotateAsync(Test.Repository);
        var before = (await KeysAsync()).ToDictionary(k => k, k => File.ReadAllBytes(Path.Combine(SiteFolder, k)));
        for (var (n, died) = (1, true); died; n++)
        {
            foreach (var key in (await KeysAsync()).Except(before.Keys))
            {
                File.Delete(Path.Combine(SiteFolder, key));
            }

            foreach (var (key, content) in before)
            {
                await File.WriteAllBytesAsync(Path.Combine(SiteFolder, key), content);
            }

            Site.DieAt(n);
            died = await Record.ExceptionAsync(CopyAllAsync) is KilledException;
            Site.OnChange = _ => { };
            await CheckAsync(Points);
            Assert.All(await CopyAllAsync(), r => Assert.Equal(CopyState.Present, r.State));
            Assert.True(died || n == 9, $"{n - 1} changes: the older master key, the slot, four wraps, two older slots are eight");
        }

        // The slots of the first generation are gone, also the one that was added there; all is wrapped for the second one, and the first wraps are garbage.
        Assert.False(Prepared.Own);
        var keys = await OpenThereAsync();
        Assert.Equal(2, Assert.Single(await new KeyManager(keys).ListAsync(None)).Generation);
        Assert.Single(await KeysAsync(), Keys.IsKeySlot);
        Assert.Equal(ErrorKind.Permission, (await Assert.ThrowsAsync<RbdBackupException>(() => Test.OpenAgainAsync(Second, store: Site))).Kind);
        await CollectThereAsync();
        Test.Time.Now += TimeSpan.FromDays(3);
        await CollectThereAsync();
        Assert.All((await KeysAsync()).Select(Keys.TryParseWrap).OfType<(AttemptId, int Generation)>(), w => Assert.Equal(2, w.Generation));
        await CheckAsync(Points);
        Assert.All(await CopyAllAsync(), r => Assert.Equal(CopyState.Present, r.State));
    }

    [Fact]
    public async Task A_slot_that_only_the_other_site_had_is_named_when_a_rotation_takes_it()
    {
        await CopyAllAsync();
        await AddKeyAsync(await OpenThereAsync(), Second);
        await RotateAsync(Test.Repository);
        await CopyAllAsync();
        Assert.Equal("another", Assert.Single(Prepared.Lost).Label);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_the_master_key_was_rotated_there_the_slots_are_its_own_and_copies_go_on(bool alsoHere)
    {
        await CopyAsync(Points[0].Point);
        await RotateAsync(await OpenThereAsync());
        if (alsoHere)
        {
            await RotateAsync(Test.Repository);
        }

        var slots = (await KeysAsync()).Where(Keys.IsKeySlot).ToList();
        await CopyAllAsync();
        Assert.True(Prepared.Own);
        Assert.Equal(slots, (await KeysAsync()).Where(Keys.IsKeySlot));
        await CheckAsync(Points);
        Assert.All(await CopyAllAsync(), r => Assert.Equal(CopyState.Present, r.State));
    }

    [Fact]
    public async Task A_rotation_here_in_the_middle_of_a_copy_harms_nothing()
    {
        var left = 8;
        Site.OnChange = _ =>
        {
            if (--left == 0)
            {
                RotateAsync(Test.Repository).GetAwaiter().GetResult();
            }
        };
        await CopyAllAsync();
        Assert.True(left < 0);
        await CheckAsync(Points);
        await CopyAllAsync();
        Assert.Equal(2, Assert.Single(await new KeyManager(await OpenThereAsync()).ListAsync(None)).Generation);
        await CheckAsync(Points);
    }

    [Fact]
    public async Task The_other_sites_own_key_opens_the_copy_once_this_repository_has_it()
    {
        var second = RepositorySecret.Parse(Second, "a test");
        var error = await Assert.ThrowsAsync<RbdBackupException>(() => CopyRunner.OpenTargetAsync(Test.Repository, Site, second, Test.Time, None));
        Assert.Equal(ErrorKind.Refused, error.Kind);
        Assert.Contains("key add", error.Remedy, StringComparison.Ordinal);
        Assert.Empty(await KeysAsync());

        await AddKeyAsync(Test.Repository, Second);
        var there = await CopyRunner.OpenTargetAsync(Test.Repository, Site, second, Test.Time, None);
        Assert.Equal("another", new KeyManager(there).Current.Label);
    }

    [Fact]
    public async Task A_key_for_the_copy_of_a_repository_that_is_not_sealed_is_refused()
    {
        await using var plain = await TestRepository.OpenAsync();
        var error = await Assert.ThrowsAsync<RbdBackupException>(
            () => CopyRunner.OpenTargetAsync(plain.Repository, Site, RepositorySecret.Parse(Second, "a test"), Test.Time, None));
        Assert.Equal(ErrorKind.Refused, error.Kind);
        Assert.Empty(await KeysAsync());
    }

    [Fact]
    public async Task An_attempts_key_that_is_damaged_here_is_found_and_its_segments_are_not_copied()
    {
        var wrap = Assert.Single(await Test.KeysAsync(Keys.PointData(Points[3].Point)), k => Keys.TryParseWrap(k) is not null);
        await File.WriteAllTextAsync(Path.Combine(Test.Folder, wrap), "{}");
        Assert.Equal([CopyState.Copied, CopyState.Copied, CopyState.Copied, CopyState.Damaged], (await CopyAllAsync()).Select(r => r.State));
        Assert.DoesNotContain(await KeysAsync(), k => Keys.PointOfData(k) == Points[3].Point);
        await CheckAsync(Points.Take(3));
    }

    private static async Task AddKeyAsync(PointRepository repository, string secret) =>
        await new KeyManager(repository).AddAsync(RepositorySecret.Parse(secret, "a test"), "another", None);

    private static async Task<RotationResult> RotateAsync(PointRepository repository) => await new KeyManager(repository).RotateAsync(loseSlots: true, IProgressReporter.None, None);
}
