using System.Security.Cryptography;
using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;
using RbdBackup.Core.Restore;

namespace RbdBackup.Core.Tests.Sealing;

/// <summary>Reads all that a repository's points need, and proves it.</summary>
internal static class Everything
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Reads everything; each point's image.</summary>
    public static async Task<IReadOnlyDictionary<PointId, byte[]>> ReadAsync(PointRepository repository, WrappedStore store)
    {
        var images = new Dictionary<PointId, byte[]>();
        await foreach (var point in repository.ReadAllAsync(Keys.PointsPrefix, e => throw e, None))
        {
            foreach (var named in (ObjectReference[])[point.Plan, point.Index, point.References])
            {
                var content = await repository.Store.GetAsync(named.Key, 1 << 20, None);
                Require(named.Length == content.Length && named.Sha256 == Convert.ToHexStringLower(SHA256.HashData(content)), named.Key);
            }

            await PointPlan.ReadAsync(repository.Store, new StoredObject(point.Plan.Key, point.Plan.Length, default), repository.Codec, None);
            var references = await repository.ReadReferencesAsync(point, None);
            foreach (var run in references.Segments)
            {
                for (var n = run.First; n <= run.Last; n++)
                {
                    await ReadSegmentAsync(repository, store, run, n);
                }
            }

            images[point.Point] = await Images.ApplyAsync([], await ExportFullAsync(repository, point));
        }

        return images;
    }

    /// <summary>The whole image at a point as a stream.</summary>
    public static async Task<byte[]> ExportFullAsync(PointRepository repository, Manifest point)
    {
        using var output = new MemoryStream();
        await new PointStream(repository).ExportFullAsync(await repository.ReadChainAsync(point, None), output, IProgressReporter.None, None);
        return output.ToArray();
    }

    /// <summary>The whole image at a point.</summary>
    public static async Task<byte[]> ImageAsync(PointRepository repository, Manifest point) => await Images.ApplyAsync([], await ExportFullAsync(repository, point));

    private static async Task ReadSegmentAsync(PointRepository repository, WrappedStore store, SegmentRun run, int number)
    {
        var name = new FrameName(run.Point, run.Attempt, number, 0, 0);
        var length = (await store.StatAsync(name.Key, None))?.Length ?? throw RepositoryFormat.Corrupt(name.Key, "is missing");
        var (footer, start) = await SegmentStore.ReadFooterAsync(repository, name, length, None);
        Require(footer.Format == RepositoryFormat.Version && start == footer.Frames.Sum(f => (long)f.Length), name.Key);
        foreach (var (n, frame) in footer.Frames.Index())
        {
            using var decoded = await new FrameSource(repository).FetchAsync(name with { Offset = frame.Offset, Length = frame.Length }, None);
            Require(n == decoded.Header.Number, name.Key);
        }
    }

    private static void Require(bool right, string key) => _ = right ? true : throw RepositoryFormat.Corrupt(key, "is not what is said of it");
}
