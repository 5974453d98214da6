# shellcheck shell=bash
# The Debian packages that the servers, the build of native/ and the tests need.

PACKAGES=(ceph-mon ceph-mgr ceph-osd radosgw ceph-common librbd-dev librados-dev rabbitmq-server
    python3-swift python3-keystone python3-keystonemiddleware memcached
    cmake gcc g++ make libzstd1 zstd e2fsprogs)

# What only the group openstack needs: 350 MB. The daemons come from the Python packages, and not from Debian's nova-api and its like, which
# want a database for themselves. The guest's kernel is downloaded, and not installed: this machine is not to boot it.
OPENSTACK_PACKAGES=(python3-nova python3-cinder python3-glance python3-placement mariadb-server-core mariadb-client-core
    libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients python3-libvirt qemu-system-x86 qemu-block-extra qemu-utils genisoimage
    qemu-guest-agent busybox-static cpio syslinux mtools fdisk)

# What links the command; all that a machine needs that only builds it.
COMPILER_PACKAGES=(gcc libc6-dev)

GUEST_KERNEL=/var/cache/rbdbackup-mini/kernel

# cmd_install [openstack | compiler]: installs what is missing; a look at dpkg's list when nothing is.
cmd_install() {
    local package packages=("${PACKAGES[@]}") missing=()
    case $* in
    '') ;;
    openstack) packages+=("${OPENSTACK_PACKAGES[@]}"); install_kernel ;;
    compiler) packages=("${COMPILER_PACKAGES[@]}") ;;
    *) die "mini install takes nothing, openstack or compiler, not '$*'" ;;
    esac
    for package in "${packages[@]}"; do
        # shellcheck disable=SC2016 # dpkg-query's own variable
        if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then missing+=("$package"); fi
    done
    if [[ ${#missing[@]} == 0 ]]; then return 0; fi
    say "installing ${missing[*]}"
    as_root "$HERE/lib/install-root.sh" "${missing[@]}"
}

# Kept outside of MINI_HOME, so that a --wipe does not cost a download.
install_kernel() {
    if [[ -e $GUEST_KERNEL ]]; then return 0; fi
    say "downloading the guests' kernel"
    as_root "$HERE/lib/install-kernel-root.sh" "$GUEST_KERNEL"
}

as_root() {
    local sudo=()
    if [[ $EUID != 0 ]]; then
        sudo=(sudo)
        if ! command -v sudo >/dev/null; then die "Debian packages are missing, and only root may install them: ${*:2}"; fi
    fi
    "${sudo[@]}" bash "$@" >&2 || die "Debian packages could not be installed; apt-get said why above"
}
