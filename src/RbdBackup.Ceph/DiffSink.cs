using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using RbdBackup.Core.Model;

namespace RbdBackup.Ceph;

/// <summary>
/// Takes the extents of one <c>rbd_diff_iterate2</c>. librbd is asked for whole periods (an object, or with fancy striping the objects
/// that share a stripe), as ranges within objects have crashed it, and with fancy striping it goes by object, not by offset. So extents
/// are clipped to what was asked and sorted within each period.
/// </summary>
internal sealed unsafe class DiffSink
{
    private readonly long _from;
    private readonly long _to;
    private readonly long _period;
    private readonly Action<Extent> _onExtent;
    private readonly CancellationToken _cancel;
    private readonly List<Extent> _pending = [];
    private long _pendingPeriod;
    private Exception? _failure;

    /// <summary>For the range from <paramref name="from"/> to <paramref name="to"/> (which is not part of it), in bytes.</summary>
    public DiffSink(long from, long to, long period, Action<Extent> onExtent, CancellationToken cancel)
    {
        (_from, _to, _period, _onExtent, _cancel) = (from, to, period, onExtent, cancel);
        Start = from - (from % period);
        Length = ((to - Start + period - 1) / period) * period;
    }

    /// <summary>True where there is nothing to ask for.</summary>
    public bool IsEmpty => _from >= _to;

    /// <summary>Where librbd is to start, in bytes.</summary>
    public long Start { get; }

    /// <summary>How far librbd is to look, in bytes; it stops at the image's end by itself.</summary>
    public long Length { get; }

    /// <summary>Runs the iteration with its callback and the callback's argument.</summary>
    public void Run(Func<nint, nint, int> iterate, string subject)
    {
        var self = GCHandle.Alloc(this);
        try
        {
            delegate* unmanaged[Cdecl]<ulong, nuint, int, nint, int> callback = &OnExtent;
            var result = iterate((nint)callback, GCHandle.ToIntPtr(self));
            if (_failure is not null)
            {
                ExceptionDispatchInfo.Throw(_failure);
            }

            ThrowHelper.Check(result, "rbd_diff_iterate2", subject);
            Emit();
        }
        finally
        {
            self.Free();
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int OnExtent(ulong offset, nuint length, int exists, nint argument)
    {
        var self = (DiffSink)GCHandle.FromIntPtr(argument).Target!;
        try
        {
            self._cancel.ThrowIfCancellationRequested();
            self.Take((long)offset, (long)offset + (long)length, exists != 0);
            return 0;
        }
        catch (Exception e)
        {
            // Nothing may be thrown through librbd's frames: it is kept, the iteration ended, and thrown on from Run.
            self._failure ??= e;
            return -Native.Errno.ECANCELED;
        }
    }

    private void Take(long start, long end, bool exists)
    {
        if (start / _period != _pendingPeriod)
        {
            Emit();
            _pendingPeriod = start / _period;
        }

        (start, end) = (Math.Max(start, _from), Math.Min(end, _to));
        if (start < end)
        {
            _pending.Add(new Extent(start, end - start, exists));
        }
    }

    private void Emit()
    {
        _pending.Sort((a, b) => a.Offset.CompareTo(b.Offset));
        _pending.ForEach(_onExtent);
        _pending.Clear();
    }
}
