using RbdBackup.Configuration;
using RbdBackup.Core.Model;

namespace RbdBackup.Tests.Configuration;

public sealed class ConfigurationLoaderTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Without_any_file_every_option_has_its_default()
    {
        var settings = ConfigurationLoader.Load(ConfigurationSources.Nothing).Settings;
        Assert.Equal(TimeSpan.FromSeconds(30), settings.Ceph.CallDeadline);
        Assert.Equal(32L << 20, settings.Repository.SegmentSize);
        Assert.Equal(new Compression(3), settings.Repository.Compression);
        Assert.Equal(200L << 20, settings.Backup.Throttle.BytesPerSecond);
        Assert.Equal(["nova", "cinder", "openstack"], settings.Notifications.Exchanges);
        Assert.Null(settings.Store.Url);
        Assert.Equal(["daily", "none", "weekly"], settings.Policies.Keys.Order());
        Assert.Equal((3, 2), (settings.Policies["daily"].CycleDays, settings.Rotation.KeepCycles));
        Assert.Equal([DayOfWeek.Sunday], settings.Policies["weekly"].Days);
        Assert.False(settings.Policies["none"].Enabled);
    }

    [Fact]
    public void All_images_of_a_pool_daily_is_two_lines()
    {
        var policy = _folder.Load("[policy:daily]\npool = vms\n").Settings.Policies["daily"];
        Assert.True(policy.Enabled);
        Assert.Equal(["vms"], policy.Pool);
        Assert.Equal(new TimeOnly(2, 0), policy.At);
        Assert.Equal(TimeSpan.FromHours(2), policy.Jitter);
        Assert.Equal(3, policy.CycleDays);
        Assert.Equal(7, policy.Days.Count);
    }

    [Fact]
    public void Lists_take_commas_lines_and_duplicate_keys()
    {
        var settings = _folder.Load(
            """
            [policy:gold]
            pool = vms, volumes
              images
            pool = other
            [notifications]
            transport_url = rabbit://a:b@one:5672,a:b@two:5672/
            transport_url = rabbit://a:b@three/
            """).Settings;
        Assert.Equal(["vms", "volumes", "images", "other"], settings.Policies["gold"].Pool);
        Assert.Equal(["rabbit://a:b@one:5672,a:b@two:5672/", "rabbit://a:b@three/"], settings.Notifications.TransportUrl);
    }

    [Fact]
    public void Names_stand_for_other_options()
    {
        var settings = _folder.Load(
            """
            [DEFAULT]
            log_file = /srv/x/log/${ceph.cluster}.log
            [ceph]
            cluster = east
            conf = /etc/ceph/$cluster.$$conf
            user = $log_file/\$x
            [rotation]
            cycle_days = 7
            """).Settings;
        Assert.Equal("/srv/x/log/east.log", settings.General.LogFile);
        Assert.Equal("/srv/x/log/east.log/$x", settings.Ceph.User);
        Assert.Equal(7, settings.Policies["daily"].CycleDays);
        Assert.Equal(28, settings.Policies["weekly"].CycleDays);
    }

    [Fact]
    public void The_environment_counts_more_than_files_and_the_command_line_more_than_both()
    {
        var file = _folder.Write("a.conf", "[store]\nurl = file:///file\n[policy:daily]\nat = 03:00\n[notifications]\nexchanges = x");
        var environment = new Dictionary<string, string>
        {
            ["OS_STORE__URL"] = "file:///environment",
            ["OS_POLICY_DAILY__AT"] = "04:00",
            ["OS_DEFAULT__DEBUG"] = "yes",
            ["OS_NOTIFICATIONS__EXCHANGES"] = "nova",
            ["OS_AUTH_URL"] = "of another program",
        };
        var settings = ConfigurationLoader.Load(new ConfigurationSources([file], [], environment)).Settings;
        Assert.Equal("file:///environment", settings.Store.Url);
        Assert.Equal(new TimeOnly(4, 0), settings.Policies["daily"].At);
        Assert.True(settings.General.Debug);
        Assert.Equal(["nova"], settings.Notifications.Exchanges);
        Assert.Equal("file:///c$m", ConfigurationLoader.Load(new ConfigurationSources([file], [], environment, "file:///c$m")).Settings.Store.Url);
    }

    [Fact]
    public void A_folder_is_read_as_oslo_reads_it_and_later_files_count_more()
    {
        _folder.Write("rbdbackup.conf", "[ceph]\nuser = main\ncluster = main\n");
        _folder.Write("rbdbackup.conf.d/20-b.conf", "[ceph]\nuser = b\n");
        _folder.Write("rbdbackup.conf.d/10-a.conf", "[ceph]\nuser = a\n");
        _folder.Write("rbdbackup.conf.d/ignored.txt", "garbage");
        _folder.Write("ceph.conf", "[global]\nfsid = x\n");
        var loaded = ConfigurationLoader.Load(new ConfigurationSources([], [_folder.Path], new Dictionary<string, string>()));
        Assert.Equal(("b", "main"), (loaded.Settings.Ceph.User, loaded.Settings.Ceph.Cluster));
        Assert.Equal(["rbdbackup.conf", "10-a.conf", "20-b.conf"], loaded.Files.Select(Path.GetFileName));

        var fragments = Path.Combine(_folder.Path, "rbdbackup.conf.d");
        Assert.Equal("b", ConfigurationLoader.Load(new ConfigurationSources([], [fragments], new Dictionary<string, string>())).Settings.Ceph.User);
    }

    [Theory]
    [InlineData("[ceph]\ncall_deadlin = 3s", ":2: [ceph] call_deadlin: there is no such option; did you mean call_deadline?")]
    [InlineData("[ceph]\nzzzzzzzz = 3s", ":2: [ceph] zzzzzzzz: there is no such option")]
    [InlineData("[cehp]\nconf = x", ":2: [cehp] conf: there is no such section; did you mean [ceph]?")]
    [InlineData("[policy]\nat = 02:00", ":2: [policy] at: there is no such section; did you mean [policy:NAME]?")]
    [InlineData("[ceph]\ncall_deadline = 30", ":2: [ceph] call_deadline: '30' is not allowed; allowed is a duration with its unit (ms, s, m, h, d, w), such as 30s or 7d, from 1s to 1h")]
    [InlineData("[ceph]\ncall_deadline = 2h", "from 1s to 1h")]
    [InlineData("[ceph]\nconf =", ":2: [ceph] conf: '' is not allowed; allowed is a text that is not empty")]
    [InlineData("[http]\nport = 70000", ":2: [http] port: '70000' is not allowed; allowed is a whole number, from 0 to 65535")]
    [InlineData("[store]\ns3_addressing_style = host", "allowed is one of auto, path, virtual")]
    [InlineData("[policy:p]\ndays = mon, someday", ":2: [policy:p] days: 'someday' is not allowed; allowed is mon, tue, wed, thu, fri, sat or sun")]
    [InlineData("[policy:p]\nimage = vms", "[policy:p] image: 'vms' does not name an image")]
    [InlineData("[policy:p]\nkeep_daily = -1", ":2: [policy:p] keep_daily: '-1' is not allowed; allowed is a whole number, from 0 to 100000")]
    [InlineData("[policy:p]\nkeep_within = 10", ":2: [policy:p] keep_within: '10' is not allowed; allowed is a duration with its unit")]
    [InlineData("[policy:p]\nkeep_cycles = 0", ":2: [policy:p] keep_cycles: '0' is not allowed; allowed is a whole number, from 1 to 1000")]
    [InlineData("[policy:p]\nkeep_cycles = 2\nfull_every = 30", "[policy:p] full_every: with keep_cycles a new full comes with each cycle; set cycle_days instead")]
    [InlineData("[policy:p]\nfor_image = vms", "[policy:p] for_image: 'vms' names no images; pool/name does")]
    [InlineData("[policy:none]\nenabled = true", "[policy:none] is the policy of what shall have no backups")]
    [InlineData("[ceph]\nconf = $nothing", ":2: [ceph] conf: $nothing names no option; write $$ for a dollar sign")]
    [InlineData("[ceph]\nconf = $user\nuser = $conf", "stands for itself")]
    [InlineData("[ceph]\nsnapshot_name = fixed", "[ceph] snapshot_name: 'fixed' does not hold {point}")]
    [InlineData("[repository]\nframe_size = 16MiB\nsegment_size = 1MiB", "[repository] frame_size is greater than segment_size")]
    [InlineData("[repository]\nzero_run_min = 5000", "[repository] zero_run_min is not a multiple of 4KiB")]
    [InlineData("[rotation]\ngrace = 3h", "[rotation] grace must be longer than [jobs] deadline")]
    [InlineData("[store]\ns3_access_key = a", "[store] s3_access_key and s3_secret_key go together")]
    [InlineData("[store]\ns3_sse = DES", "allowed is one of AES256, aws:kms")]
    [InlineData("[store]\ns3_sse = AES256\ns3_sse_kms_key_id = k", "[store] s3_sse_kms_key_id needs s3_sse = aws:kms")]
    [InlineData("[store]\nurl = swift://c/p", "[store] url is Swift's, and nothing says how to log in")]
    [InlineData("[store]\nswift_auth_url = http://h/auth/v1.0\nswift_username = a:b", "[store] swift_auth_url needs swift_username and swift_password")]
    [InlineData("[keystone]\nauth_type = token", "allowed is one of password, v3password, v3applicationcredential")]
    [InlineData("[keystone]\nauth_type = password\nauth_url = http://h\nusername = u\npassword = p", "[keystone] auth_type = password needs project_name or project_id")]
    [InlineData("[keystone]\nauth_type = password\nusername = u\nproject_name = p", "[keystone] auth_type = password needs auth_url")]
    [InlineData(
        "[keystone]\nauth_type = v3applicationcredential\nauth_url = http://h\napplication_credential_name = n\napplication_credential_secret = s",
        "needs application_credential_id, or application_credential_name and username")]
    [InlineData("[keystone]\nauth_type = v3applicationcredential\nauth_url = http://h\napplication_credential_id = i", "needs application_credential_secret")]
    [InlineData("[keystone]\nvalid_interfaces = public, publicURL", "[keystone] valid_interfaces: 'publicURL' is not allowed")]
    public void A_wrong_option_is_one_line_that_says_where_and_what_is_allowed(string text, string expected)
    {
        var error = Assert.Throws<RbdBackupException>(() => _folder.Load(text));
        Assert.Equal(ErrorKind.Usage, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        var error = Assert.Throws<RbdBackupException>(() => _folder.Load("[ceph]\nx = 1\ny = 2\n[http]\nport = z\n", ("OS_JOBS__CONCURRENCY", "0")));
        var lines = error.Message.Split('\n');
        Assert.Equal(4, lines.Length);
        Assert.Contains(lines, l => l.StartsWith("OS_JOBS__CONCURRENCY: [jobs] concurrency: '0'", StringComparison.Ordinal));
    }

    [Fact]
    public void A_wrong_secret_is_not_repeated()
    {
        var error = Assert.Throws<RbdBackupException>(() => _folder.Load("[store]\ns3_access_key = a\ns3_secret_key = $hunter2\n"));
        Assert.Contains("[store] s3_secret_key: a $name in it", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_may_stand_in_files_of_their_own()
    {
        var key = _folder.Write("key", "s3cret\n");
        var urls = _folder.Write("urls", "rabbit://a:b@h/\n\nrabbit://c:d@h/\n");
        var loaded = _folder.Load($"[store]\ns3_access_key = a\ns3_secret_key_file = {key}\n[notifications]\ntransport_url_file = {urls}\n");
        Assert.Equal("s3cret", loaded.Settings.Store.S3SecretKey);
        Assert.Equal(["rabbit://a:b@h/", "rabbit://c:d@h/"], loaded.Settings.Notifications.TransportUrl);
        Assert.Empty(loaded.Warnings);
    }

    [Fact]
    public void Swift_logs_in_with_Keystone_or_by_itself()
    {
        var secret = _folder.Write("secret", "s3cret\n");
        var keystone = _folder.Load(
            $"""
            [store]
            url = swift://backups/cloud1
            [keystone]
            auth_type = v3applicationcredential
            auth_url = https://keystone.example.org/v3
            application_credential_id = 1234
            application_credential_secret_file = {secret}
            """).Settings.Keystone;
        Assert.Equal(("s3cret", "internal, public"), (keystone.ApplicationCredentialSecret, string.Join(", ", keystone.ValidInterfaces)));

        var password = _folder.Load(
            $"""
            [keystone]
            auth_type = password
            auth_url = https://keystone.example.org
            username = rbdbackup
            password_file = {secret}
            project_name = service
            """).Settings.Keystone;
        Assert.Equal("s3cret", password.Password);

        var store = _folder.Load(
            $"[store]\nurl = swift://b/p\nswift_auth_url = https://rgw/auth/v1.0\nswift_username = a:b\nswift_password_file = {secret}\n").Settings.Store;
        Assert.Equal("s3cret", store.SwiftPassword);

        var both = Assert.Throws<RbdBackupException>(() => _folder.Load($"[keystone]\npassword = hunter2\npassword_file = {secret}\n"));
        Assert.Contains("[keystone] password and password_file are both set", both.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", both.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_that_everybody_may_read_are_warned_of()
    {
        const UnixFileMode open = UnixFileMode.UserRead | UnixFileMode.OtherRead;
        var key = _folder.Write("key", "s3cret", open);
        var file = _folder.Write("open.conf", $"[store]\ns3_access_key = a\ns3_secret_key_file = {key}\n[notifications]\ntransport_url = rabbit://a:b@h/\n", open);
        var warnings = ConfigurationLoader.Load(new ConfigurationSources([file], [], new Dictionary<string, string>())).Warnings;
        Assert.Equal([$"{file} holds", $"{key} holds"], warnings.Select(w => w[..(w.IndexOf(" holds", StringComparison.Ordinal) + 6)]));
    }

    [Fact]
    public void Files_that_are_not_there_are_an_error_that_names_them()
    {
        var missing = Path.Combine(_folder.Path, "missing");
        foreach (var sources in new[] { new ConfigurationSources([missing], [], new Dictionary<string, string>()), new([], [missing], new Dictionary<string, string>()) })
        {
            var error = Assert.Throws<RbdBackupException>(() => ConfigurationLoader.Load(sources));
            Assert.Contains(missing, error.Message, StringComparison.Ordinal);
            Assert.Equal(ErrorKind.Usage, error.Kind);
        }

        Assert.Contains($"{missing} can't be read", Assert.Throws<RbdBackupException>(() => _folder.Load($"[store]\ns3_secret_key_file = {missing}\n")).Message, StringComparison.Ordinal);
    }
}
