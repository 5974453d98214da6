# shellcheck shell=bash
# What RbdBackup's two cephx users may do; for mini and for the DevStack plugin. docs and mini/README.md say why.

# Backing up: `allow r`, not `profile rbd`, which would let librbd blocklist a hypervisor that does not answer.
# shellcheck disable=SC2034 # those who source this file use it
RBDBACKUP_MON_CAPS='allow r'
# shellcheck disable=SC2034
RBDBACKUP_RESTORE_MON_CAPS='profile rbd'

# rbdbackup_osd_caps VMS VOLUMES IMAGES STATE [NAMESPACE]: the pools of Nova, Cinder, Glance (parents of clones), and of our leases and job records.
function rbdbackup_osd_caps {
    echo "profile rbd pool=$1, profile rbd pool=$2, profile rbd-read-only pool=$3, allow rwx pool=$4 namespace=${5:-rbdbackup}"
}
