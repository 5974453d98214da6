# shellcheck shell=bash
# The Debian packages that the servers, the build of native/ and the tests need.

PACKAGES=(ceph-mon ceph-mgr ceph-osd radosgw ceph-common librbd-dev librados-dev rabbitmq-server
    python3-swift python3-keystone python3-keystonemiddleware memcached
    cmake gcc g++ make libzstd1 zstd e2fsprogs)

# Installs what is missing; a look at dpkg's list when nothing is.
cmd_install() {
    local package as_root=() missing=()
    for package in "${PACKAGES[@]}"; do
        # shellcheck disable=SC2016 # dpkg-query's own variable
        if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then missing+=("$package"); fi
    done
    if [[ ${#missing[@]} == 0 ]]; then return 0; fi
    if [[ $EUID != 0 ]]; then
        as_root=(sudo)
        if ! command -v sudo >/dev/null; then die "these packages are missing, and only root may install them: ${missing[*]}"; fi
    fi
    say "installing ${missing[*]}"
    "${as_root[@]}" bash "$HERE/lib/install-root.sh" "${missing[@]}" >&2 || die "the packages could not be installed; apt-get said why above"
}
