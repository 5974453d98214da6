using System.Buffers;
using RbdBackup.Core.Model;

namespace RbdBackup.Core.Repository;

/// <summary>
/// Writes a merged index leaf by leaf, ascending. Leaf pages are stored as they fill objects of their own; the last ones share the index object with the
/// root. Memory: such an object, and the compressed root (about 0.3 MiB a TiB of image).
/// </summary>
internal sealed class MergedIndexWriter(PointRepository repository, PointId point, AttemptId attempt, MergedLayout layout, int generation)
{
    private readonly List<IndexObject> _objects = [];
    private readonly Dictionary<string, int> _numbers = [];
    private readonly ArrayBufferWriter<byte> _root = new();
    private readonly List<Page> _rootPages = [];
    private readonly ArrayBufferWriter<byte> _rootPlain = new();
    private ArrayBufferWriter<byte> _leafPages = new();
    private int? _current;
    private int _stored;
    private (long First, long Last, int Count) _inPage;

    /// <summary>The keys of all objects that it stored, and of those that its leaves name.</summary>
    public IEnumerable<string> Objects => _objects.Select(o => o.Key);

    /// <summary>How many bytes it stored.</summary>
    public long StoredBytes { get; private set; }

    /// <summary>Adds a leaf: a new layer, which may be empty, over layers that are stored already.</summary>
    public async Task AddAsync(long number, IReadOnlyList<Piece> top, IReadOnlyList<LeafLayer> below, CancellationToken cancel)
    {
        var layers = new List<LeafLayer>();
        if (top.Count > 0)
        {
            _current ??= Add(new IndexObject("", 0));
            layers.Add(new LeafLayer(_objects[_current.Value], [.. top.Chunk(Pages.MaxEntries).Select(c => LeafPage.Append(_leafPages, c, repository.Codec))]));
        }

        layers.AddRange(below);
        if (layers.Count == 0)
        {
            return;
        }

        _inPage = _inPage.Count == 0 ? (number, number - 1, 0) : _inPage;
        RootPage.Write(_rootPlain, new Leaf(number, layers), _inPage.Last, layout.LeafBytes, o => o.Key.Length == 0 ? _current!.Value : Number(o));
        _inPage = (_inPage.First, number, _inPage.Count + 1);
        if (_rootPlain.WrittenCount >= RootPage.Target || _inPage.Count == Pages.MaxEntries)
        {
            CloseRootPage();
        }

        if (_leafPages.WrittenCount >= layout.ObjectBytes)
        {
            await StoreLeavesAsync(cancel);
        }
    }

    /// <summary>Stores the index object and says how to name it.</summary>
    public async Task<ObjectReference> FinishAsync(CancellationToken cancel)
    {
        CloseRootPage();
        var key = Keys.Index(point, attempt);
        if (_current is { } number)
        {
            _objects[number] = new IndexObject(key, _leafPages.WrittenCount);
        }

        var start = _leafPages.WrittenCount;
        _leafPages.Write(_root.WrittenSpan);
        var directory = new MergedDirectory(
            RepositoryFormat.Version, point, layout.LeafBytes, generation, _objects, [.. _rootPages.Select(p => p with { Offset = start + p.Offset })]);
        TailDirectory.Write(_leafPages, directory, RepositoryJson.Default.MergedDirectory);
        StoredBytes += _leafPages.WrittenCount;
        return await repository.PutAsync(key, new ReadOnlySequence<byte>(_leafPages.WrittenMemory), cancel);
    }

    private async Task StoreLeavesAsync(CancellationToken cancel)
    {
        var key = Keys.Leaves(point, _stored++, attempt);
        _objects[_current!.Value] = new IndexObject(key, _leafPages.WrittenCount);
        _current = null;
        await repository.PutAsync(key, new ReadOnlySequence<byte>(_leafPages.WrittenMemory), cancel);
        StoredBytes += _leafPages.WrittenCount;
        _leafPages = new ArrayBufferWriter<byte>();
    }

    private void CloseRootPage()
    {
        if (_inPage.Count > 0)
        {
            var (start, end) = (_inPage.First * layout.LeafBytes, (_inPage.Last + 1) * layout.LeafBytes);
            _rootPages.Add(Pages.Append(_root, _root.WrittenCount, _rootPlain.WrittenSpan, _inPage.Count, start, end, repository.Codec));
            _rootPlain.ResetWrittenCount();
            _inPage = default;
        }
    }

    private int Number(IndexObject known) => _numbers.TryGetValue(known.Key, out var number) ? number : _numbers[known.Key] = Add(known);

    private int Add(IndexObject added)
    {
        _objects.Add(added);
        return _objects.Count - 1;
    }
}
