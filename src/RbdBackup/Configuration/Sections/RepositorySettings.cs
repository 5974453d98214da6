#pragma warning disable CS1591 // What an option is, its own help text says; it is the source of the sample and of docs/configuration.md.
namespace RbdBackup.Configuration;

/// <summary>How points are laid out in the store.</summary>
[Section("repository", "How points are laid out in the store. Every value may change at any time: what is stored describes itself.")]
public sealed record RepositorySettings
{
    [Option("zstd:3", "How frames are compressed: zstd:LEVEL (1 to 19), or none.")]
    public required Compression Compression { get; init; }

    [Option(
        "32MiB", "How much of an image goes into one segment, which is one object. A segment is held in memory until it is stored.",
        Min = "1MiB", Max = "1GiB")]
    public required long SegmentSize { get; init; }

    [Option("1MiB", "How much of an image goes into one frame, the unit of compression and of random reads.", Min = "64KiB", Max = "16MiB")]
    public required long FrameSize { get; init; }

    [Option(
        "4KiB", "Runs of zeros from this length on are stored as zero records and take no room. A multiple of 4KiB.", Min = "4KiB",
        Max = "4MiB")]
    public required long ZeroRunMin { get; init; }

    [Option("4", "How many segments of one backup are stored at a time.", Min = "1", Max = "64")]
    public required int Uploads { get; init; }

    [Option(
        "1000000", "How many extents a plan may hold; past it neighbours are joined, so that memory stays bounded.", Min = "1000",
        Max = "100000000")]
    public required int PlanExtents { get; init; }
}
