#!/usr/bin/env bash
# Downloads Debian's kernel for clouds and unpacks it into the given folder, for guests. Nothing is installed: this machine must not boot it.
set -euo pipefail
umask 022

folder=$1
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "${folder%/*}"
exec 9>"$folder.lock"
flock 9
if [[ -e $folder ]]; then exit 0; fi
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q -o DPkg::Lock::Timeout=600 update
# The name without a version is a package that depends on the newest.
apt-get -q -o APT::Sandbox::User=root download "$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)"
dpkg -x linux-image-*.deb unpacked
mv unpacked "$folder"
