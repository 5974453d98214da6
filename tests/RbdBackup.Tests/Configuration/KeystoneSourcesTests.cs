using RbdBackup.Composition;
using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Tests.Configuration;

/// <summary>clouds.yaml and OS_* variables: what they say, which of them counts, and a real Keystone that takes it.</summary>
public sealed class KeystoneSourcesTests : IDisposable
{
    private const string Clouds =
        """
        common: &common
          region_name: RegionOne
        clouds:
          one:
            <<: *common
            auth:
              auth_url: https://one.example.org/v3
              username: "u$er"
              password: 0123
              project_name: admin
              user_domain_name: Default
              project-domain-name: Default
            cacert: /etc/ssl/one.pem
            interface: internal
            volume_api_version: 3
          two:
            auth_type: v3applicationcredential
            auth:
              auth_url: https://two.example.org/v3
              application_credential_id: abc
            regions: [RegionTwo, RegionThree]
          insecure:
            auth: {auth_url: https://h, username: u, password: hunter2, project_name: p}
            verify: false
          oidc:
            auth_type: v3oidcpassword
            auth: {auth_url: https://h}
          vendor:
            profile: vexxhost
            auth: {username: u, password: hunter2, project_name: p}
        """;

    private readonly ConfigFolder _folder = new();

    public KeystoneSourcesTests() => _folder.Write("openstack/clouds.yaml", Clouds);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_cloud_that_is_named_says_who_we_are()
    {
        var loaded = Load("[keystone]\ncloud = one\n");
        var keystone = loaded.Settings.Keystone;
        Assert.Equal(
            ("password", "https://one.example.org/v3", "u$er", "0123", "admin", "RegionOne", "/etc/ssl/one.pem", "Default"),
            (keystone.AuthType, keystone.AuthUrl, keystone.Username, keystone.Password, keystone.ProjectName, keystone.RegionName, keystone.Cafile, keystone.ProjectDomainName));
        Assert.Equal(["internal"], keystone.ValidInterfaces);
        var shown = EffectiveOptions.List(loaded.Values).Where(option => option.Section == "keystone").ToDictionary(option => option.Option);
        Assert.Equal("***", shown["password"].Value);
        Assert.EndsWith("clouds.yaml: cloud 'one'", shown["password"].Origin, StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_may_stand_in_secure_yaml_and_our_own_section_counts_more()
    {
        _folder.Write("openstack/secure.yaml", "clouds:\n  two:\n    auth:\n      application_credential_secret: s3cret\n");
        var keystone = Load("[keystone]\ncloud = two\nvalid_interfaces = admin\n").Settings.Keystone;
        Assert.Equal(
            ("v3applicationcredential", "abc", "s3cret", "RegionTwo"),
            (keystone.AuthType, keystone.ApplicationCredentialId, keystone.ApplicationCredentialSecret, keystone.RegionName));
        Assert.Equal(["admin"], keystone.ValidInterfaces);

        var file = _folder.Write("password", "from-a-file");
        Assert.Equal("from-a-file", Load($"[keystone]\ncloud = one\npassword_file = {file}\n").Settings.Keystone.Password);
    }

    [Fact]
    public void A_clouds_file_with_secrets_that_everybody_may_read_is_warned_of()
    {
        var file = _folder.Write("openstack/clouds.yaml", Clouds, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains(Load("[keystone]\ncloud = one\n").Warnings, warning => warning.StartsWith($"{file} holds a secret", StringComparison.Ordinal));
        Assert.Empty(Load("").Warnings);
    }

    [Theory]
    [InlineData("nine", "has no cloud 'nine'; it has: insecure, oidc, one, two, vendor")]
    [InlineData("insecure", "certificates are always checked")]
    [InlineData("oidc", "auth_type 'v3oidcpassword' is none of ours")]
    [InlineData("vendor", "there is no auth_url; profiles are not read")]
    [InlineData("two", "needs application_credential_secret")]
    public void What_cannot_be_used_is_an_error_where_we_name_it_and_none_where_others_do(string cloud, string why)
    {
        var e = Assert.Throws<RbdBackupException>(() => Load($"[keystone]\ncloud = {cloud}\n"));
        Assert.Equal(ErrorKind.Usage, e.Kind);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", e.Message, StringComparison.Ordinal);

        // Who works with a folder need not mend what another program reads; who needs Keystone is told.
        var settings = Load("", ("OS_CLOUD", cloud)).Settings;
        Assert.Null(settings.Keystone.AuthType);
        Assert.Contains(why, settings.KeystoneProblem, StringComparison.Ordinal);
        Assert.Contains(why, Assert.Throws<RbdBackupException>(() => Load("[store]\nurl = swift://a/b\n", ("OS_CLOUD", cloud))).Message, StringComparison.Ordinal);
        Assert.Contains(why, Assert.Throws<RbdBackupException>(() => CloudAccess.Open(settings)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_YAML_is_told_without_what_stands_in_it()
    {
        _folder.Write("openstack/clouds.yaml", "clouds:\n  one:\n   auth: {password: hunter2\n");
        var e = Assert.Throws<RbdBackupException>(() => _folder.Load("[keystone]\ncloud = one\n", Home));
        Assert.Matches("clouds.yaml:[0-9]+: this is no YAML", e.Message);
        Assert.DoesNotContain("hunter2", e.ToString(), StringComparison.Ordinal);

        Assert.Contains("there is no clouds.yaml in", Assert.Throws<RbdBackupException>(() => _folder.Load("[keystone]\ncloud = one\n", ("XDG_CONFIG_HOME", "/nowhere"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_file_that_is_there_counts()
    {
        string[] folders = [Path.Combine(_folder.Path, "here"), Path.Combine(_folder.Path, "mine"), Path.Combine(_folder.Path, "machine")];
        string UrlNow(params (string, string)[] environment) =>
            new CloudsYaml(folders, environment.ToDictionary(pair => pair.Item1, pair => pair.Item2)).Read("c").Options["auth_url"];
        foreach (var name in new[] { "machine/clouds.yaml", "mine/clouds.json", "mine/clouds.yml", "here/clouds.yaml", "elsewhere.yaml" })
        {
            _folder.Write(name, $$"""{"clouds": {"c": {"auth": {"auth_url": "http://{{name}}"} } } }""");
            if (name != "elsewhere.yaml")
            {
                Assert.Equal($"http://{name}", UrlNow());
            }
        }
        Assert.Equal("http://elsewhere.yaml", UrlNow(("OS_CLIENT_CONFIG_FILE", Path.Combine(_folder.Path, "elsewhere.yaml"))));
    }

    [Fact]
    public void Variables_count_where_our_section_says_nothing_of_who_we_are()
    {
        (string, string)[] openrc =
        [
            ("OS_AUTH_URL", "https://v.example.org/v3"), ("OS_USERNAME", "v"), ("OS_PASSWORD", "v$ecret"), ("OS_TENANT_NAME", "old"), ("OS_PROJECT_ID", ""),
            ("OS_REGION_NAME", "RegionV"), ("OS_INTERFACE", "publicURL"), ("OS_IDENTITY_API_VERSION", "3"), ("OS_CACERT", "/v.pem"), ("OS_DEFAULT_DOMAIN", "d"),
        ];
        var keystone = Load("[keystone]\nregion_name = ours\n", openrc).Settings.Keystone;
        Assert.Equal(
            ("password", "https://v.example.org/v3", "v", "v$ecret", "old", null, "ours", "/v.pem", "d"),
            (keystone.AuthType, keystone.AuthUrl, keystone.Username, keystone.Password, keystone.ProjectName, keystone.ProjectId, keystone.RegionName, keystone.Cafile, keystone.UserDomainId));
        Assert.Equal(["public"], keystone.ValidInterfaces);

        // A cloud by name comes before them, and what is ours before both; nothing is mixed.
        Assert.Equal("https://one.example.org/v3", Load("", [.. openrc, ("OS_CLOUD", "one")]).Settings.Keystone.AuthUrl);
        var mine = Load("[keystone]\nauth_type = password\nauth_url = https://ours\nusername = u\nproject_name = p\npassword = q\n", [.. openrc, ("OS_CLOUD", "one")]).Settings.Keystone;
        Assert.Equal(("https://ours", "u", "q", null, null), (mine.AuthUrl, mine.Username, mine.Password, mine.RegionName, mine.Cafile));
        // Half a section is not filled with another cloud's values.
        Assert.Null(Load("[keystone]\npassword = q\n", openrc).Settings.Keystone.AuthType);
    }

    [Theory]
    [InlineData("OS_PASSWORD", "", "needs password")]
    [InlineData("OS_AUTH_TYPE", "token", "'token' is none of ours")]
    [InlineData("OS_IDENTITY_API_VERSION", "2", "only the third")]
    [InlineData("OS_INSECURE", "true", "certificates are always checked")]
    public void Variables_that_do_not_suffice_matter_only_where_Keystone_is_needed(string name, string value, string why)
    {
        var openrc = new Dictionary<string, string> { ["OS_AUTH_URL"] = "https://h/v3", ["OS_USERNAME"] = "u", ["OS_PASSWORD"] = "hunter2", ["OS_PROJECT_NAME"] = "p", [name] = value };
        var settings = Load("[store]\nurl = file:///x\n", [.. openrc.Select(pair => (pair.Key, pair.Value))]).Settings;
        Assert.Null(settings.Keystone.AuthType);
        Assert.Contains(why, settings.KeystoneProblem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_real_Keystone_takes_what_clouds_yaml_secure_yaml_and_variables_say()
    {
        var (url, user, project) = (Setting("URL"), Setting("USER"), Setting("PROJECT"));
        _folder.Write("openstack/clouds.yaml", $"clouds:\n  real:\n    auth: {{auth_url: '{url}', username: {user}, project_name: {project}, user_domain_id: default, project_domain_id: default}}\n    region_name: RegionOne\n");
        _folder.Write("openstack/secure.yaml", $"clouds:\n  real:\n    auth: {{password: '{Setting("PASSWORD")}'}}\n");
        (string, string)[] password = [("OS_AUTH_URL", url), ("OS_USERNAME", user), ("OS_PASSWORD", Setting("PASSWORD")), ("OS_PROJECT_NAME", project)];
        (string, string)[] credential =
        [
            ("OS_AUTH_TYPE", "v3applicationcredential"), ("OS_AUTH_URL", url),
            ("OS_APPLICATION_CREDENTIAL_ID", Setting("CREDENTIAL_ID")), ("OS_APPLICATION_CREDENTIAL_SECRET", Setting("CREDENTIAL_SECRET")),
        ];
        foreach (var (text, environment) in new[] { ("[keystone]\ncloud = real\n", []), ("", [("OS_CLOUD", "real")]), ("", password), ("", credential) })
        {
            using var cloud = CloudAccess.Open(_folder.Load(text, [Home, .. environment]).Settings);
            // A login comes before any answer; that there is no such project is Keystone's.
            var e = await Assert.ThrowsAsync<RbdBackupException>(() => cloud.Identity.GetProjectAsync("0123456789abcdef0123456789abcdef", CancellationToken.None));
            Assert.Contains("showing the project", e.Message, StringComparison.Ordinal);
        }
    }

    private (string, string) Home => ("XDG_CONFIG_HOME", _folder.Path);

    private LoadedConfiguration Load(string text, params (string, string)[] environment) => _folder.Load(text, [Home, .. environment]);

    private static string Setting(string name) => Environment.GetEnvironmentVariable($"RBDBACKUP_TEST_KEYSTONE_{name}")
        ?? throw new InvalidOperationException($"RBDBACKUP_TEST_KEYSTONE_{name} is not set: run devstack/mini/mini up swift, then eval \"$(devstack/mini/mini env)\".");
}
