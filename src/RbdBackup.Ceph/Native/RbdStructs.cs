namespace RbdBackup.Ceph.Native;

// Structs of rbd/librbd.h as they lie in memory on 64-bit Linux, with the C names of types and fields, so that the ABI test finds each by
// its name.

/// <summary>C: <c>rbd_image_spec_t</c>.</summary>
internal unsafe struct rbd_image_spec_t
{
    public byte* id;
    public byte* name;
}

/// <summary>C: <c>rbd_linked_image_spec_t</c>.</summary>
internal unsafe struct rbd_linked_image_spec_t
{
    public long pool_id;
    public byte* pool_name;
    public byte* pool_namespace;
    public byte* image_id;
    public byte* image_name;
    public byte trash;
}

/// <summary>C: <c>rbd_snap_spec_t</c>.</summary>
internal unsafe struct rbd_snap_spec_t
{
    public ulong id;
    public int namespace_type;
    public byte* name;
}

/// <summary>C: <c>rbd_snap_info_t</c>.</summary>
internal unsafe struct rbd_snap_info_t
{
    public ulong id;
    public ulong size;
    public byte* name;
}

/// <summary>C: <c>rbd_image_info_t</c>.</summary>
internal unsafe struct rbd_image_info_t
{
    public ulong size;
    public ulong obj_size;
    public ulong num_objs;
    public int order;
    public fixed byte block_name_prefix[RbdConstants.RBD_MAX_BLOCK_NAME_SIZE];
    public long parent_pool;
    public fixed byte parent_name[RbdConstants.RBD_MAX_IMAGE_NAME_SIZE];
}

/// <summary>C: <c>rbd_mirror_image_info_t</c>.</summary>
internal unsafe struct rbd_mirror_image_info_t
{
    public byte* global_id;
    public int state;
    public byte primary;
}

/// <summary>C: <c>rbd_trash_image_info_t</c>.</summary>
internal unsafe struct rbd_trash_image_info_t
{
    public byte* id;
    public byte* name;
    public int source;
    public long deletion_time;
    public long deferment_end_time;
}

/// <summary>C: <c>rbd_image_watcher_t</c>.</summary>
internal unsafe struct rbd_image_watcher_t
{
    public byte* addr;
    public long id;
    public ulong cookie;
}
