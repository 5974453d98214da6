namespace RbdBackup.Ceph.Native;

/// <summary>Constants of <c>rados/librados.h</c>, under their own names; the ABI test compares them.</summary>
internal static class RadosConstants
{
    public const byte LIBRADOS_LOCK_FLAG_MUST_RENEW = 1 << 1;
    public const int LIBRADOS_OP_FLAG_FADVISE_NOCACHE = 0x40;
}

/// <summary>Constants of <c>rbd/librbd.h</c> and <c>rbd/features.h</c>, under their own names; the ABI test compares them.</summary>
internal static class RbdConstants
{
    public const ulong RBD_FEATURE_STRIPINGV2 = 1UL << 1;
    public const ulong RBD_FEATURE_FAST_DIFF = 1UL << 4;
    public const ulong RBD_FEATURE_DATA_POOL = 1UL << 7;
    public const ulong RBD_FEATURE_OPERATIONS = 1UL << 8;
    public const ulong RBD_FEATURE_MIGRATING = 1UL << 9;
    public const ulong RBD_FEATURE_NON_PRIMARY = 1UL << 10;
    public const ulong RBD_FEATURE_DIRTY_CACHE = 1UL << 11;

    public const int RBD_IMAGE_OPTION_FEATURES = 1;
    public const int RBD_IMAGE_OPTION_ORDER = 2;
    public const int RBD_IMAGE_OPTION_STRIPE_UNIT = 3;
    public const int RBD_IMAGE_OPTION_STRIPE_COUNT = 4;
    public const int RBD_IMAGE_OPTION_DATA_POOL = 10;

    public const int RBD_FLAG_OBJECT_MAP_INVALID = 1 << 0;
    public const int RBD_FLAG_FAST_DIFF_INVALID = 1 << 1;

    public const int RBD_SNAP_NAMESPACE_TYPE_USER = 0;
    public const int RBD_SNAP_NAMESPACE_TYPE_GROUP = 1;
    public const int RBD_SNAP_NAMESPACE_TYPE_TRASH = 2;
    public const int RBD_SNAP_NAMESPACE_TYPE_MIRROR = 3;

    public const int RBD_LOCK_MODE_EXCLUSIVE = 0;
    public const int RBD_MIRROR_IMAGE_ENABLED = 1;
    public const int RBD_TRASH_IMAGE_SOURCE_USER = 0;
    public const int RBD_TRASH_IMAGE_SOURCE_USER_PARENT = 4;
    public const int RBD_MAX_IMAGE_NAME_SIZE = 96;
    public const int RBD_MAX_BLOCK_NAME_SIZE = 24;
}
