using RbdBackup.Core.Backup;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Tests.Backup;

/// <summary>However short the list is kept, no changed byte is lost from it.</summary>
public sealed class ExtentListTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_coarser_list_holds_all_data_and_keeps_its_bound(int seed)
    {
        var random = new Random(seed);
        var (list, added, at) = (new ExtentList(50), new List<Extent>(), 0L);
        for (var i = 0; i < 2000; i++)
        {
            var extent = new Extent(at + random.Next(0, 1 << 20), random.Next(1, 1 << 16), random.Next(4) > 0);
            list.Add(extent);
            added.Add(extent);
            at = extent.End;
        }

        Assert.InRange(list.Extents.Count, 1, 50);
        Assert.All(list.Extents.Zip(list.Extents.Skip(1)), pair => Assert.True(pair.First.End <= pair.Second.Offset));
        foreach (var extent in added)
        {
            // Data stays data; zeros may be read as part of what lies around them, but are never left out.
            Assert.Contains(list.Extents, e => e.Offset <= extent.Offset && extent.End <= e.End && (e.Exists || !extent.Exists));
        }
    }

    [Fact]
    public void A_large_hole_is_not_read_for_the_sake_of_a_short_list()
    {
        var list = new ExtentList(3);
        list.Add(new Extent(0, 4096, true));
        list.Add(new Extent(4096, 1L << 40, false));
        list.Add(new Extent(8192 + (1L << 40), 4096, true));
        list.Add(new Extent(16384 + (1L << 40), 4096, true));
        Assert.True(list.Extents.Where(e => e.Exists).Sum(e => e.Length) < 1 << 20);
    }

    [Fact]
    public void A_union_is_sorted_and_joined() =>
        Assert.Equal(
            [new Extent(0, 30, true), new Extent(40, 10, true)],
            ExtentList.Union([new Extent(40, 10, false), new Extent(10, 20, true), new Extent(0, 15, true)]));
}
