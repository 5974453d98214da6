using RbdBackup.Core.Model;

namespace RbdBackup.Tests.Configuration;

public sealed class ClusterSettingsTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_further_cluster_says_only_what_is_different()
    {
        var settings = _folder.Load("[ceph]\nuser = client.b\nstate_pool = mine\nvms_pool = v\n[ceph:ssd]\nvolumes_pool = fast\n[ceph:hdd]\nconf = /x.conf\ncluster = ceph\nuser = client.h\n").Settings;
        Assert.Equal([null, "hdd", "ssd"], settings.AllClusters.Select(c => c.Name));
        var (ssd, hdd) = (settings.Clusters["ssd"], settings.Clusters["hdd"]);
        Assert.Equal(("/etc/ceph/ssd.conf", "ssd", "client.b", "mine"), (ssd.Conf, ssd.Cluster, ssd.User, ssd.StatePool));
        Assert.Equal(("/x.conf", "ceph", "client.h"), (hdd.Conf, hdd.Cluster, hdd.User));
        Assert.Equal(["v", "hdd:v", "ssd:v"], settings.Pools.Servers);
        Assert.Equal(["volumes", "hdd:volumes", "ssd:fast"], settings.Pools.Volumes);
    }

    [Fact]
    public void Without_one_all_is_as_it_was()
    {
        var settings = _folder.Load("[tenants]\nvolume_pools = ssd=fast\n").Settings;
        Assert.Empty(settings.Clusters);
        Assert.Equal(["vms"], settings.Pools.Servers);
        Assert.Equal(["volumes", "fast"], settings.Pools.Volumes);
    }

    [Theory]
    [InlineData("[ceph:a/b]\nuser = client.x\n", "[ceph:a/b]: a cluster's name")]
    [InlineData("[ceph]\nvms_pool = ssd:vms\n[ceph:ssd]\nuser = client.x\n", "[ceph] vms_pool")]
    [InlineData("[ceph:ssd]\nvolumes_pool = ssd:volumes\n", "[ceph:ssd] vms_pool and volumes_pool")]
    [InlineData("[policy:daily]\npool = ssd:vms\n", "[policy:daily]: 'ssd:vms' is in cluster ssd, and there is no [ceph:ssd]")]
    [InlineData("[policy:daily]\nimage = ssd:vms/x\n", "there is no [ceph:ssd]")]
    [InlineData("[tenants]\nvolume_pools = fast=ssd:volumes\n", "[tenants] volume_pools: 'ssd:volumes' is in cluster ssd")]
    [InlineData("[ceph:ssd]\nconff = x\n", "did you mean conf?")]
    public void What_is_wrong_is_said(string text, string error) =>
        Assert.Contains(error, Assert.Throws<RbdBackupException>(() => _folder.Load(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("vms/x", null, "vms/x")]
    [InlineData("ssd:vms/x", "ssd", "vms/x")]
    [InlineData("ssd:vms/ns/x", "ssd", "vms/ns/x")]
    public void An_images_name_may_begin_with_its_clusters(string text, string? cluster, string within)
    {
        var image = ImageSpec.Parse(text);
        Assert.Equal((cluster, within, text), (image.Cluster, image.WithoutCluster().ToString(), image.ToString()));
    }
}
