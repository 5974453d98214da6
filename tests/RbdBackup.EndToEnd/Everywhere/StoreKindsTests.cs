namespace RbdBackup.EndToEnd.Everywhere;

/// <summary>The same way through every kind of store, as an operator configures it.</summary>
public sealed class StoreKindsTests(Mini mini) : IClassFixture<Mini>
{
    private const int Size = 4 << 20;

    [Theory]
    [InlineData("s3")]
    [InlineData("s3 with encryption")]
    [InlineData("swift by its own authentication")]
    [InlineData("swift by a password")]
    [InlineData("swift by an application credential")]
    [InlineData("s3", "sealed")]
    [InlineData("swift by a password", "sealed")]
    public async Task A_full_an_increment_and_a_restore_go_through(string kind, string? seal = null)
    {
        using var sandbox = new Sandbox([.. SettingsOf(kind), .. seal is null ? Array.Empty<string>() : ["encryption.key_command=echo a passphrase of a test"]]);
        await using var image = await mini.CreateAsync(Size);
        await image.FillAsync(0, 2 << 20, seed: 1);
        var full = await sandbox.DoAsync("backup", "image", image.ToString());
        await image.FillAsync(1 << 20, 2 << 20, seed: 2);
        var content = await image.ReadAsync();
        var increment = await sandbox.DoAsync("backup", "image", image.ToString());
        Assert.Equal(("full", "increment"), (full.GetProperty("kind").GetString(), increment.GetProperty("kind").GetString()));

        await image.FillAsync(0, Size, seed: 3);
        await sandbox.DoAsync("restore", increment.GetProperty("id").GetString()!, "--replace");
        Assert.Equal(content, await image.ReadAsync());
        Assert.Equal(2, (await sandbox.DoAsync("list", image.ToString())).GetArrayLength());
        Assert.Equal(2, (await sandbox.DoAsync("verify", "--all", "--data")).GetProperty("ok").GetInt32());
        Assert.Equal(seal is not null, (await sandbox.DoAsync("repo", "info")).GetProperty("required_features").EnumerateArray().Any(f => f.GetString() == "sealed"));
        Assert.Equal(0, (await sandbox.DoAsync("repo", "check")).GetProperty("finding_count").GetInt32());
    }

    /// <summary>The settings of a store of a kind, with a prefix of its own.</summary>
    internal static string[] SettingsOf(string kind)
    {
        var prefix = Mini.NewName();
        string[] keystone =
        [
            $"store.url=swift://{Mini.Setting("RBDBACKUP_TEST_SWIFT_CONTAINER")}/{prefix}", $"keystone.auth_url={Mini.Setting("RBDBACKUP_TEST_KEYSTONE_URL")}",
            "keystone.region_name=RegionOne",
        ];
        string[] s3 =
        [
            $"store.url=s3://{Mini.S3Bucket}/{prefix}", $"store.s3_endpoint_url={Mini.S3Url}", "store.s3_storage_class=STANDARD",
            $"store.s3_access_key={Mini.Setting("AWS_ACCESS_KEY_ID")}", $"store.s3_secret_key={Mini.Setting("AWS_SECRET_ACCESS_KEY")}",
        ];
        return kind switch
        {
            "s3" => s3,
            "s3 with encryption" => [.. s3, "store.s3_sse=aws:kms", "store.s3_sse_kms_key_id=mini-key"],
            "swift by its own authentication" =>
            [
                $"store.url=swift://{Mini.Setting("RBDBACKUP_TEST_SWIFT_CONTAINER")}/{prefix}", $"store.swift_auth_url={Mini.Setting("RBDBACKUP_TEST_SWIFT_AUTH_URL")}",
                $"store.swift_username={Mini.Setting("RBDBACKUP_TEST_SWIFT_USER")}", $"store.swift_password={Mini.Setting("RBDBACKUP_TEST_SWIFT_KEY")}",
            ],
            "swift by a password" =>
            [
                .. keystone, "keystone.auth_type=password", $"keystone.username={Mini.Setting("RBDBACKUP_TEST_KEYSTONE_USER")}",
                $"keystone.password={Mini.Setting("RBDBACKUP_TEST_KEYSTONE_PASSWORD")}", $"keystone.project_name={Mini.Setting("RBDBACKUP_TEST_KEYSTONE_PROJECT")}",
                "keystone.user_domain_name=Default", "keystone.project_domain_name=Default",
            ],
            _ =>
            [
                .. keystone, "keystone.auth_type=v3applicationcredential",
                $"keystone.application_credential_id={Mini.Setting("RBDBACKUP_TEST_KEYSTONE_CREDENTIAL_ID")}",
                $"keystone.application_credential_secret={Mini.Setting("RBDBACKUP_TEST_KEYSTONE_CREDENTIAL_SECRET")}",
            ],
        };
    }
}
