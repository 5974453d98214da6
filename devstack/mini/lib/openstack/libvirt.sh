# shellcheck shell=bash
# libvirtd in a mount namespace of its own: it sees folders of mini where another libvirtd has its state, and no system bus. Its guests
# live there too, and outlive it; a new libvirtd finds them again.

LIBVIRT_HOME=$OPENSTACK_HOME/libvirt
LIBVIRT_URI="qemu:///system?socket=$LIBVIRT_HOME/sockets/libvirt-sock"

libvirt_start() {
    case $MINI_HOME in
    /run/* | /var/lib/* | /var/cache/*) die "MINI_HOME=$MINI_HOME is in a folder that libvirt gets in another form; OpenStack needs one elsewhere" ;;
    esac
    mkdir -p "$LIBVIRT_HOME"/{etc,lib,cache,run,sockets,bin}
    if ((${#LIBVIRT_HOME} > 80)); then die "MINI_HOME=$MINI_HOME is too deep a folder for libvirt's sockets"; fi
    if is_running libvirtd; then return 0; fi
    libvirt_write_conf
    spawn libvirtd - PATH="$LIBVIRT_HOME/bin:$PATH" "${OPENSTACK_NAMESPACE[@]}" "$LIBVIRT_HOME/run" /run "$LIBVIRT_HOME/etc" /etc/libvirt \
        "$LIBVIRT_HOME/lib" /var/lib "$LIBVIRT_HOME/cache" /var/cache \
        "$LIBVIRT_HOME/passwd" /etc/passwd "$LIBVIRT_HOME/group" /etc/group -- libvirtd --config /etc/libvirt/libvirtd.conf
}

libvirt_write_conf() {
    openstack_uuid libvirt/host-uuid
    write_file "$LIBVIRT_HOME/etc/libvirtd.conf" <<CONF
listen_tls = 0
listen_tcp = 0
unix_sock_dir = "$LIBVIRT_HOME/sockets"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "$(<"$LIBVIRT_HOME/host-uuid")"
log_outputs = "2:stderr"
CONF
    # It wants the user that Debian's libvirt-daemon-system makes, although it is told to start guests as another.
    { sed '/^libvirt-qemu:/d' /etc/passwd; echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin'; } | write_file "$LIBVIRT_HOME/passwd"
    { sed '/^libvirt-qemu:/d' /etc/group; echo 'libvirt-qemu:x:64055:'; } | write_file "$LIBVIRT_HOME/group"
    # Guests run as root, without the protection that a hypervisor gives others from them: they are ours.
    write_file "$LIBVIRT_HOME/etc/qemu.conf" <<CONF
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
seccomp_sandbox = 0
CONF
    # libvirt gives a guest an environment of its own. With the mark in it `down` finds the guest, also when libvirtd is gone.
    write_file "$LIBVIRT_HOME/bin/qemu-system-x86_64" <<SCRIPT
#!/bin/sh
export MINI_DAEMON=$MINI_HOME:guest CEPH_CONF=$CEPH_CONF
exec /usr/bin/qemu-system-x86_64 "\$@"
SCRIPT
    chmod +x "$LIBVIRT_HOME/bin/qemu-system-x86_64"
}

libvirt_await() {
    await 60 libvirtd "answer" libvirt_do version
    libvirt_secret nova
    libvirt_secret cinder
}

# libvirt_secret USER: the user's cephx key, which libvirt gives to guests whose disks are his.
libvirt_secret() {
    local uuid file=$MINI_HOME/run/secret
    uuid=$(<"$OPENSTACK_HOME/$1-secret-uuid")
    write_file "$file.xml" <<XML
<secret ephemeral='no' private='no'><uuid>$uuid</uuid><usage type='ceph'><name>client.$1</name></usage></secret>
XML
    sed -n 's/^\s*key = //p' "$CEPH_HOME/ceph.client.$1.keyring" | tr -d '\n' | write_file "$file"
    { libvirt_do secret-define "$file.xml" && libvirt_do secret-set-value "$uuid" --file "$file"; } >>"$MINI_HOME/log/libvirtd.out" 2>&1 ||
        die_of_daemon libvirtd "libvirt did not take the key of client.$1"
    rm -f "$file"
}

libvirt_do() { timeout 20 virsh --connect "$LIBVIRT_URI" "$@"; }
