#!/bin/bash
# tests/vm/qemu.sh [TEST...]: runs tests (else the few named here) under Debian's own kernel in qemu, for what user-mode Linux
# lacks: two CPUs and the cpuset controller on cgroup v2, time namespaces, hugetlb, every capability, system calls as a machine has them.
#
# Everything is emulated (no KVM is asked for), so it is slow and only for a few. The guest is one initramfs: programs of this machine
# with their libraries, the build and the scripts; tests/vm/qemu-init is its pid 1 and writes results to the second serial port.
# The kernel's package is downloaded once and unpacked, not installed. Skipped, with the reason, where it cannot run.
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/wherry-tests/qemu
[ $# -gt 0 ] || set -- tests/e2e/{limits,namespaces}.sh
skip() { echo "ok 1 - tests under Debian's kernel # SKIP $1"; exit 0; }
[ "$(uname -m)" = x86_64 ] || skip "the kernel is one for x86-64"
command -v qemu-system-x86_64 > /dev/null || skip "the package qemu-system-x86 is not installed"
for program in busybox jq bash; do command -v $program > /dev/null || skip "$program is not installed"; done

# --- the kernel
kernel=$(ls /boot/vmlinuz-*-cloud-amd64 "$cache"/boot/vmlinuz-* 2> /dev/null | tail -1)
if [ -z "$kernel" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 2> /dev/null | grep -o 'linux-image-[0-9][^ ]*' | head -1)
    mkdir -p "$cache"
    [ -n "$package" ] && (cd "$cache" && apt-get download -qq "$package" > /dev/null 2>&1 && dpkg-deb -x ./*.deb . && rm -f ./*.deb)
    kernel=$(ls "$cache"/boot/vmlinuz-* 2> /dev/null | tail -1)
    [ -n "$kernel" ] || skip "no kernel: neither in /boot nor by apt-get download (linux-image-cloud-amd64)"
fi
version=${kernel##*/vmlinuz-}
modules=${kernel%/boot/*}/lib/modules/$version/kernel

# --- the initramfs
out=$BUILD/qemu root=$BUILD/qemu/root
rm -rf "$out"
mkdir -p "$root"/usr/{bin,lib,lib64} "$root"/{dev,proc,sys,run,etc,tmp,root,var/lib,modules} "$root/wherry/build"
for folder in bin lib lib64; do ln -s usr/$folder "$root/$folder"; done
ln -s bin "$root/usr/sbin"; ln -s bin "$root/sbin"
# add PROGRAM: with the libraries that it names
add() {
    local file library
    file=$(command -v "$1") || return
    cp -L "$file" "$root/usr/bin/$1"
    for library in $(ldd "$file" 2> /dev/null | grep -o '/[^ ]*'); do
        mkdir -p "$root/$(dirname "$library")"
        [ -e "$root/$library" ] || cp -L "$library" "$root/$library"
    done
}
# busybox lacks options of some; where it does not, it has the name (qemu-init)
for program in busybox bash jq awk grep sed find stat timeout seq unshare setpriv nsenter losetup mount umount mountpoint readlink ls date \
    mktemp capsh ps ip setarch; do
    add $program
done
ln -sf bash "$root/usr/bin/sh"
for module in fs/overlayfs/overlay drivers/block/loop drivers/net/dummy; do
    cp "$modules/$module.ko" "$root/modules/" 2> /dev/null
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
cp -r tests "$root/wherry/"
for part in wherry libexec guests tests/e2e; do
    mkdir -p "$root/wherry/build/$(dirname $part)"
    [ ! -e "$BUILD/$part" ] || cp -r "$BUILD/$part" "$root/wherry/build/$part"
done
printf '%s\n' "$@" > "$root/wherry/list"
cp tests/vm/qemu-init "$root/init"
(cd "$root" && find . | busybox cpio -o -H newc 2> /dev/null) > "$out/initramfs"
rm -rf "$root"

# --- the guest
timeout -k 10 "${VM_TIMEOUT_S:-1200}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "${VM_MEMORY:-2G}" -display none -no-reboot \
    -nodefaults -kernel "$kernel" -initrd "$out/initramfs" -serial "file:$out/console" -serial "file:$out/result" \
    -append "console=ttyS0 quiet panic=-1 TEST_TIMEOUT_S=${GUEST_TEST_TIMEOUT_S:-600}" < /dev/null
tr -d '\r' < "$out/result" > "$out/result.text"
if ! tail -1 "$out/result.text" | grep -q ' passed, .* failed, '; then
    tail -40 "$out/console" | tr -d '\r' | sed 's/^/# /'
    echo "not ok 1 - the guest gave no result within ${VM_TIMEOUT_S:-1200} s (console: $out/console)"
    exit 1
fi
cat "$out/result.text"
