/*
 * Prints what the installed headers say of everything that src/RbdBackup.Ceph/Native declares, one line each:
 *   struct NAME SIZE
 *   field STRUCT.FIELD OFFSET
 *   const NAME VALUE
 * A test compares these lines with the C# side, both ways.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <rados/librados.h>
#include <rbd/librbd.h>

#define STRUCT(name, type) printf("struct %s %zu\n", #name, sizeof(type))
#define FIELD(name, type, field) printf("field %s.%s %zu\n", #name, #field, offsetof(type, field))
#define CONST(name) printf("const %s %lld\n", #name, (long long)(name))

static void rados(void)
{
    STRUCT(Timeval, struct timeval);
    FIELD(Timeval, struct timeval, tv_sec);
    FIELD(Timeval, struct timeval, tv_usec);

    STRUCT(Timespec, struct timespec);
    FIELD(Timespec, struct timespec, tv_sec);
    FIELD(Timespec, struct timespec, tv_nsec);

    CONST(LIBRADOS_LOCK_FLAG_MUST_RENEW);
    CONST(LIBRADOS_OP_FLAG_FADVISE_NOCACHE);
}

#define RBD_STRUCT(type) STRUCT(type, type)
#define RBD_FIELD(type, field) FIELD(type, type, field)

static void rbd_structs(void)
{
    RBD_STRUCT(rbd_image_spec_t);
    RBD_FIELD(rbd_image_spec_t, id);
    RBD_FIELD(rbd_image_spec_t, name);

    RBD_STRUCT(rbd_linked_image_spec_t);
    RBD_FIELD(rbd_linked_image_spec_t, pool_id);
    RBD_FIELD(rbd_linked_image_spec_t, pool_name);
    RBD_FIELD(rbd_linked_image_spec_t, pool_namespace);
    RBD_FIELD(rbd_linked_image_spec_t, image_id);
    RBD_FIELD(rbd_linked_image_spec_t, image_name);
    RBD_FIELD(rbd_linked_image_spec_t, trash);

    RBD_STRUCT(rbd_snap_spec_t);
    RBD_FIELD(rbd_snap_spec_t, id);
    RBD_FIELD(rbd_snap_spec_t, namespace_type);
    RBD_FIELD(rbd_snap_spec_t, name);

    RBD_STRUCT(rbd_snap_info_t);
    RBD_FIELD(rbd_snap_info_t, id);
    RBD_FIELD(rbd_snap_info_t, size);
    RBD_FIELD(rbd_snap_info_t, name);

    RBD_STRUCT(rbd_image_info_t);
    RBD_FIELD(rbd_image_info_t, size);
    RBD_FIELD(rbd_image_info_t, obj_size);
    RBD_FIELD(rbd_image_info_t, num_objs);
    RBD_FIELD(rbd_image_info_t, order);
    RBD_FIELD(rbd_image_info_t, block_name_prefix);
    RBD_FIELD(rbd_image_info_t, parent_pool);
    RBD_FIELD(rbd_image_info_t, parent_name);

    RBD_STRUCT(rbd_mirror_image_info_t);
    RBD_FIELD(rbd_mirror_image_info_t, global_id);
    RBD_FIELD(rbd_mirror_image_info_t, state);
    RBD_FIELD(rbd_mirror_image_info_t, primary);

    RBD_STRUCT(rbd_trash_image_info_t);
    RBD_FIELD(rbd_trash_image_info_t, id);
    RBD_FIELD(rbd_trash_image_info_t, name);
    RBD_FIELD(rbd_trash_image_info_t, source);
    RBD_FIELD(rbd_trash_image_info_t, deletion_time);
    RBD_FIELD(rbd_trash_image_info_t, deferment_end_time);

    RBD_STRUCT(rbd_image_watcher_t);
    RBD_FIELD(rbd_image_watcher_t, addr);
    RBD_FIELD(rbd_image_watcher_t, id);
    RBD_FIELD(rbd_image_watcher_t, cookie);
}

static void rbd_constants(void)
{
    CONST(RBD_FEATURE_STRIPINGV2);
    CONST(RBD_FEATURE_FAST_DIFF);
    CONST(RBD_FEATURE_DATA_POOL);
    CONST(RBD_FEATURE_OPERATIONS);
    CONST(RBD_FEATURE_MIGRATING);
    CONST(RBD_FEATURE_NON_PRIMARY);
    CONST(RBD_FEATURE_DIRTY_CACHE);

    CONST(RBD_IMAGE_OPTION_FEATURES);
    CONST(RBD_IMAGE_OPTION_ORDER);
    CONST(RBD_IMAGE_OPTION_STRIPE_UNIT);
    CONST(RBD_IMAGE_OPTION_STRIPE_COUNT);
    CONST(RBD_IMAGE_OPTION_DATA_POOL);

    CONST(RBD_FLAG_OBJECT_MAP_INVALID);
    CONST(RBD_FLAG_FAST_DIFF_INVALID);

    CONST(RBD_SNAP_NAMESPACE_TYPE_USER);
    CONST(RBD_SNAP_NAMESPACE_TYPE_GROUP);
    CONST(RBD_SNAP_NAMESPACE_TYPE_TRASH);
    CONST(RBD_SNAP_NAMESPACE_TYPE_MIRROR);

    CONST(RBD_LOCK_MODE_EXCLUSIVE);
    CONST(RBD_MIRROR_IMAGE_ENABLED);
    CONST(RBD_TRASH_IMAGE_SOURCE_USER);
    CONST(RBD_TRASH_IMAGE_SOURCE_USER_PARENT);
    CONST(RBD_MAX_IMAGE_NAME_SIZE);
    CONST(RBD_MAX_BLOCK_NAME_SIZE);
}

static void errnos(void)
{
    CONST(EPERM);
    CONST(ENOENT);
    CONST(EIO);
    CONST(EAGAIN);
    CONST(EACCES);
    CONST(EBUSY);
    CONST(EEXIST);
    CONST(EINVAL);
    CONST(ENOSPC);
    CONST(EROFS);
    CONST(ERANGE);
    CONST(ENOSYS);
    CONST(ENOTEMPTY);
    CONST(EOPNOTSUPP);
    CONST(ENOTCONN);
    CONST(ESHUTDOWN);
    CONST(ETIMEDOUT);
    CONST(EDQUOT);
    CONST(ECANCELED);
}

int main(void)
{
    rados();
    rbd_structs();
    rbd_constants();
    errnos();
    return 0;
}
