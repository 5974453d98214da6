#!/usr/bin/env bash
# Installs the given Debian packages and leaves no new service running or enabled. Runs as root; called by install.sh.
set -euo pipefail

readonly GUARD=/usr/sbin/policy-rc.d SAVED=/usr/sbin/policy-rc.d.rbdbackup-mini
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin

# Puts the machine's own policy back. Also called first: an earlier run may have been killed before its trap.
remove_guard() {
    if grep -qs 'rbdbackup-mini' "$GUARD"; then rm -f "$GUARD"; fi
    if [[ -e $SAVED ]]; then mv "$SAVED" "$GUARD"; fi
}

# Debian's maintainer scripts ask policy-rc.d before they start a service; 101 means no.
place_guard() {
    if [[ -e $GUARD ]]; then mv "$GUARD" "$SAVED"; fi
    printf '#!/bin/sh\n# rbdbackup-mini: nothing is started by this installation\nexit 101\n' >"$GUARD"
    chmod 755 "$GUARD"
}

installed() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort; }

# A server package enables its service for the next boot. What was not on the machine before must not start then either.
disable_new_services() {
    local before=$1 packages files
    packages=$(comm -13 <(echo "$before") <(installed) | grep -E '^(ceph|radosgw|rabbitmq|erlang|memcached|mariadb|libvirt|qemu)' || true)
    if [[ -z $packages ]]; then return 0; fi
    # shellcheck disable=SC2086 # a list of package names
    files=$(dpkg -L $packages)
    sed -n 's,^/etc/init\.d/,,p' <<<"$files" | xargs -r -I '{}' update-rc.d '{}' disable
    if command -v systemctl >/dev/null; then
        sed -nE 's,^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket|target|timer))$,\2,p' <<<"$files" |
            xargs -r systemctl --quiet disable
    fi
}

exec 9>/run/lock/rbdbackup-mini-install
flock 9
remove_guard
before=$(installed)
trap remove_guard EXIT
place_guard
apt-get -q -o DPkg::Lock::Timeout=600 update
apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends "$@"
disable_new_services "$before" || echo "mini: not every service of the new packages could be disabled; it may start at the next boot" >&2
