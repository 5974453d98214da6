# shellcheck shell=bash
# The guest's image: a disk with a boot sector, a partition with kernel and initramfs, and one with ext4 for what the guest keeps. It boots
# on whatever image it is copied to. All that runs is in the initramfs: busybox, mkfs.ext4 and the QEMU agent.

GUEST_MODULES=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk virtio_console)

guest_make_image() {
    local image=$OPENSTACK_HOME/guest.img root=$OPENSTACK_HOME/guest
    if [[ -s $image ]]; then return 0; fi
    rm -rf "$root"
    {
        guest_make_root "$root"
        (cd "$root" && find . | cpio --quiet -o -H newc | zstd -q -10) >"$root.initramfs"
        guest_make_disk "$image.new" "$root.initramfs"
    } >>"$MINI_HOME/log/guest.out" 2>&1 || die_of_daemon guest "the guest's image could not be made"
    rm -rf "$root" "$root.initramfs"
    mv "$image.new" "$image"
}

guest_make_root() {
    local root=$1 file module
    mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,run,tmp,mnt,modules} "$root/var/run"
    cp /bin/busybox "$root/bin/busybox"
    for file in /usr/sbin/qemu-ga /usr/sbin/mkfs.ext4; do
        cp -L "$file" "$root/sbin/"
        ldd "$file" | grep -o '/[^ ]*' | while read -r file; do mkdir -p "$root${file%/*}" && cp -L "$file" "$root$file"; done
    done
    cp /etc/mke2fs.conf "$root/etc/"
    for module in "${GUEST_MODULES[@]}"; do find "$GUEST_KERNEL/lib/modules" -name "$module.ko" -exec cp '{}' "$root/modules/" ';'; done
    printf '%s\n' "${GUEST_MODULES[@]}" >"$root/modules/order"
    install -m 755 "$OPENSTACK_LIB/guest-init" "$root/init"
    install -m 755 "$OPENSTACK_LIB/guest-shutdown" "$root/sbin/shutdown"
}

# 64 MiB: the boot partition from 1 to 32, the data partition from there to the end.
guest_make_disk() {
    local disk=$1 boot=$1@@1M
    rm -f "$disk"
    truncate -s 64M "$disk"
    printf '%s\n' 'label: dos' 'start=2048, size=63488, type=c, bootable' 'start=65536, type=83' | sfdisk -q "$disk"
    dd if=/usr/lib/SYSLINUX/mbr.bin of="$disk" bs=440 count=1 conv=notrunc status=none
    export MTOOLS_SKIP_CHECK=1
    mformat -i "$boot" -F -T 63488 -h 255 -s 63 ::
    mcopy -i "$boot" "$(echo "$GUEST_KERNEL"/boot/vmlinuz-*)" ::vmlinuz
    mcopy -i "$boot" "$2" ::initrd
    printf '%s\n' 'DEFAULT linux' 'LABEL linux' 'KERNEL /vmlinuz' 'INITRD /initrd' 'APPEND console=ttyS0 quiet tsc=unstable panic=1' |
        mcopy -i "$boot" - ::syslinux.cfg
    syslinux --install --offset $((1 << 20)) "$disk"
    mkfs.ext4 -q -F -L root -E offset=$((32 << 20)) "$disk" $((32 << 10))k
}
