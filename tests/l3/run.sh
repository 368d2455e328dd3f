#!/bin/bash
# Real kernel Bluetooth and the real bluetoothd in a virtual machine, with this machine's root underneath,
# read-only. See README.md. Usage: ROMCAP_L3=FOLDER tests/l3/run.sh [SENSORS] [SECONDS]
# FOLDER keeps what is downloaded (about 500 MB). Debian on x86-64; root for apt-get.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
work=${ROMCAP_L3:?name a folder for what is downloaded}
sensors=${1:-2}
seconds=${2:-20}
mkdir -p "$work/unpacked" "$work/root/bin" "$work/root/modules"

if ! command -v qemu-system-x86_64 > /dev/null; then
    apt-get install -y --no-install-recommends qemu-system-x86
fi
if [ ! -e "$work/unpacked/boot" ]; then
    kernel=$(apt-cache depends linux-image-amd64 | grep -o 'linux-image-[0-9][^ ]*-amd64' | head -1)
    (cd "$work" && apt-get download "$kernel" bluez busybox-static)
    for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/unpacked"; done
fi
if [ ! -e "$work/site" ]; then
    "$project/.venv/bin/pip" install -q --target "$work/site" bumble
fi

# The initial file system: a shell, and the modules that the guest needs, each after those it depends on.
modules=$(ls -d "$work"/unpacked/lib/modules/*)
: > "$work/root/modules/order"
add() {
    local file name depends
    file=$(find "$modules" -name "${1//_/[-_]}.ko" | head -1)
    if [ -z "$file" ] || [ -e "$work/root/modules/$1.ko.done" ]; then return; fi
    touch "$work/root/modules/$1.ko.done"
    depends=$(grep -a -o 'depends=[^[:cntrl:]]*' "$file" | head -1 | cut -d= -f2 | tr ',' ' ')
    for name in $depends; do add "$name"; done
    cp "$file" "$work/root/modules/"
    basename "$file" >> "$work/root/modules/order"
}
rm -f "$work"/root/modules/*.done
for module in virtio_pci 9pnet_virtio 9p overlay crc16 aes_generic cmac ecb hci_vhci uhid; do add "$module"; done
rm -f "$work"/root/modules/*.done
cp "$work/unpacked/bin/busybox" "$work/root/bin/busybox"
cp "$here/init" "$work/root/init"
chmod +x "$work/root/init"
(cd "$work/root" && find . | "$work/unpacked/bin/busybox" cpio -o -H newc 2> /dev/null | gzip -1 > "$work/initrd.gz")

qemu-system-x86_64 -accel "${ACC:-tcg}" -cpu "${QCPU:-max}" -smp 2 -m 1024 -nographic -no-reboot \
    -kernel "$work"/unpacked/boot/vmlinuz-* -initrd "$work/initrd.gz" \
    -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=root,mount_tag=root \
    -append "console=ttyS0 quiet panic=-1 l3_work=$work l3_project=$project l3_sensors=$sensors l3_seconds=$seconds"
