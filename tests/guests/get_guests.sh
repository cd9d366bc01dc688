#!/bin/bash
# Fetches real guest software for a RISC-V `virt` machine as Debian packages (nothing is installed on
# the host and nothing is compiled), and lays it out ready to boot:
#
#   get_guests DIR
#
#   DIR/linux/Image            Debian 13's riscv64 kernel, flat Image format
#   DIR/linux/config           its configuration (which virtio drivers are modules)
#   DIR/linux/initramfs.gz     busybox + the kernel's virtio modules + the /init below
#   DIR/linux/root.ext4        64 MiB ext4 disk with /data/SHA256SUMS, bootable with guest=root
#   DIR/linux/installer-*      Debian installer's kernel and initrd
#   DIR/opensbi/fw_{jump,dynamic}.bin   OpenSBI generic platform, rv64; in opensbi/rv32/ the same for rv32
#   DIR/u-boot/{m,s}-mode.bin  U-Boot for QEMU virt, M-mode and S-mode builds
#   DIR/edk2/RISCV_VIRT_{CODE,VARS}.fd  EDK2 UEFI firmware for QEMU virt
#   DIR/grub/                  GRUB's riscv64-efi modules
#   DIR/MANIFEST               sha256 of every file
#
# Needs: a Debian host with apt, dpkg-deb, xz, depmod (kmod), cpio, mkfs.ext4 (e2fsprogs), fakeroot.
# The mirror is the one the host's own apt uses. Everything apt writes stays under DIR/.apt.
#
# /init takes its mode from the kernel command line, guest=MODE:
#   shell (default)  an interactive busybox shell
#   off              load the base virtio modules, print GUEST-READY, power off (boot-time benchmark)
#   info             print cpuinfo, interrupts, every virtio device with driver/features/slot; power off
#   test             info, then check block, console, rng, net, 9p; prints GUEST-PASS/GUEST-FAIL lines
#   bench            small workloads, prints GUEST-BENCH lines
#   root             mount /dev/vda as ext4 and switch_root to it
#   reboot           reboot at once
set -euo pipefail
[ $# = 1 ] || { sed -n '2,/^set/p' "$0" | sed '$d;s/^# \{0,1\}//'; exit 2; }
mkdir -p "$1"; OUT=$(cd "$1" && pwd); cd "$OUT"
for t in apt-get dpkg-deb xz depmod cpio mkfs.ext4 fakeroot; do
  command -v $t >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v $t >/dev/null || { echo "get_guests: missing '$t'" >&2; exit 3; }
done
export PATH=$PATH:/usr/sbin:/sbin
SUITE=${GUEST_SUITE:-trixie} ARCH=riscv64 A=$OUT/.apt
MIRROR=${GUEST_MIRROR:-$(grep -rhoE '^[^#]*https?://[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null \
  | grep -oE 'https?://[^ ]*' | head -1 || true)}
[ -n "$MIRROR" ] || { echo "get_guests: no Debian mirror found in the host's apt sources; set GUEST_MIRROR" >&2; exit 3; }

# --- packages, with a private apt state -------------------------------------------------------
mkdir -p "$A"/lists/partial "$A"/cache/archives/partial "$A"/etc/{sources,preferences,apt.conf}.d "$A"/dpkg "$A"/debs
: > "$A/dpkg/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR $SUITE main" > "$A/etc/sources.list"
cat > "$A/apt.conf" <<EOC
Dir::State "$A"; Dir::State::Lists "$A/lists"; Dir::State::status "$A/dpkg/status"; Dir::Cache "$A/cache";
Dir::Etc::SourceList "$A/etc/sources.list"; Dir::Etc::SourceParts "$A/etc/sources.d";
Dir::Etc::PreferencesParts "$A/etc/preferences.d"; Dir::Etc::Parts "$A/etc/apt.conf.d";
APT::Architecture "$ARCH"; APT::Architectures { "$ARCH"; }; APT::Sandbox::User "root"; Acquire::Languages "none";
EOC
export APT_CONFIG=$A/apt.conf
apt-get -qq update
KPKG=$(apt-cache depends linux-image-riscv64 | awk '/Depends: linux-image/{print $2; exit}')
(cd "$A/debs" && apt-get -qq download "$KPKG" busybox-static opensbi u-boot-qemu qemu-efi-riscv64 grub-efi-riscv64-bin)
(cd "$A/debs" && apt-get -qq download debian-installer-13-netboot-riscv64) || echo "get_guests: installer images not available" >&2
rm -rf "$A/root"; for d in "$A"/debs/*.deb; do p=$A/root/$(basename "$d" | cut -d_ -f1); mkdir -p "$p"; dpkg-deb -x "$d" "$p"; done

# --- firmware ---------------------------------------------------------------------------------
mkdir -p opensbi u-boot edk2 grub linux
S=$A/root/opensbi/usr/lib/riscv64-linux-gnu/opensbi/generic; [ -d "$S" ] || S=$(dirname "$(find "$A/root/opensbi" -path '*riscv64*' -name fw_jump.bin | head -1)")
cp "$S"/fw_jump.bin "$S"/fw_dynamic.bin opensbi/
S32=$A/root/opensbi/usr/lib/riscv32-linux-gnu/opensbi/generic
[ ! -d "$S32" ] || { mkdir -p opensbi/rv32; cp "$S32"/fw_jump.bin "$S32"/fw_dynamic.bin opensbi/rv32/; }
cp "$(find "$A/root/u-boot-qemu" -path '*qemu-riscv64/u-boot.bin' | head -1)" u-boot/m-mode.bin
cp "$(find "$A/root/u-boot-qemu" -path '*qemu-riscv64_smode/u-boot.bin' | head -1)" u-boot/s-mode.bin
find "$A/root/qemu-efi-riscv64" -name 'RISCV_VIRT_*.fd' -exec cp {} edk2/ \;
cp -r "$A/root/grub-efi-riscv64-bin"/usr/lib/grub/riscv64-efi grub/ 2>/dev/null || true

# --- Linux ------------------------------------------------------------------------------------
K=$(ls -d "$A/root/"linux-image-*); KV=$(basename "$(ls -d "$K"/usr/lib/modules/*)")
cp "$K/boot/vmlinux-$KV" linux/Image; cp "$K/boot/config-$KV" linux/config
DI=$(find "$A/root" -path '*text/debian-installer/riscv64' -type d | head -1)
[ -z "$DI" ] || { cp "$DI/linux" linux/installer-Image; cp "$DI/initrd.gz" linux/installer-initrd.gz; }

copy_modules() { # DEST MODULE...: the modules with their dependencies, decompressed
  local dest=$1 src=$K/usr/lib/modules/$KV m line f; shift
  [ -f "$src/modules.dep" ] || depmod -b "$K/usr" "$KV"
  mkdir -p "$dest/lib/modules/$KV"; cp "$src"/modules.{builtin,builtin.modinfo,order} "$dest/lib/modules/$KV/"
  for m; do
    line=$(grep -E "(^|/)$(sed 's/[-_]/[-_]/g' <<<"$m")\.ko\.xz:" "$src/modules.dep" || true)
    [ -n "$line" ] || { echo "get_guests: kernel has no module $m" >&2; continue; }
    for f in ${line//:/}; do mkdir -p "$dest/lib/modules/$KV/$(dirname "$f")"; xz -dc "$src/$f" > "$dest/lib/modules/$KV/${f%.xz}"; done
  done
  depmod -b "$dest" "$KV"
}
base_tree() { # DEST
  rm -rf "$1"; mkdir -p "$1"/{bin,sbin,etc/udhcpc,proc,sys,dev,tmp,root,mnt,run,usr/bin,usr/sbin,usr/share/udhcpc,lib}
  cp "$A/root/busybox-static/usr/bin/busybox" "$1/bin/busybox"; for a in sh mount; do ln -sf busybox "$1/bin/$a"; done
  cat > "$1/etc/udhcpc/default.script" <<'EOS'
#!/bin/sh
case $1 in
bound|renew) ip addr flush dev $interface; ip addr add $ip/${mask:-24} dev $interface
  [ -n "$router" ] && ip route add default via $router; echo "udhcpc: $interface ip=$ip router=$router dns=$dns";;
deconfig) ip link set $interface up;;
esac
EOS
  chmod +x "$1/etc/udhcpc/default.script"; cp "$1/etc/udhcpc/default.script" "$1/usr/share/udhcpc/"
  echo root:x:0:0:root:/root:/bin/sh > "$1/etc/passwd"
}
W=$A/initramfs; base_tree "$W"
copy_modules "$W" virtio_mmio virtio_pci virtio_blk virtio_net virtio-rng virtio_input virtio_balloon virtio-gpu virtio_scsi sd_mod \
  9pnet_virtio 9p vmw_vsock_virtio_transport virtio_snd virtio_crypto ext4 crc32c_generic libcrc32c virtiofs vfat evdev ext2 overlay loop
insmod_order() { (cd "$W/lib/modules/$KV"; for m; do
  l=$(grep -E "/$m\.ko:" modules.dep) || continue; t=${l%%:*}; for d in $(tr ' ' '\n' <<<"${l#*:}" | tac); do echo "$d"; done; echo "$t"; done) | awk 'NF && !s[$0]++'; }
insmod_order virtio_mmio virtio_pci virtio_blk virtio-rng virtio_net > "$W/etc/insmod.base"
insmod_order crc32c_generic ext4 | grep -vxFf "$W/etc/insmod.base" > "$W/etc/insmod.ext4"
cat > "$W/init" <<'EOS'
#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null; mkdir -p /dev/pts; mount -t devpts pts /dev/pts
MODE=shell URL=; for w in $(cat /proc/cmdline); do case $w in guest=*) MODE=${w#guest=};; guest.url=*) URL=${w#guest.url=};; esac; done
echo "GUEST-INIT up=$(cut -d' ' -f1 /proc/uptime) kernel=$(uname -r) machine=$(uname -m)"
load() { while read m; do insmod /lib/modules/$(uname -r)/$m || echo "GUEST-FAIL insmod $m"; done < /etc/insmod.$1; }
load base
case $MODE in test|root|shell|info) load ext4;; esac
case $MODE in test|info) for m in virtio_input virtio_balloon virtio_gpu virtio_scsi 9p 9pnet_virtio vmw_vsock_virtio_transport virtio_crypto; do modprobe $m; done;; esac
i=0; while grep -lq 0x0002 /sys/bus/virtio/devices/*/device 2>/dev/null && [ ! -b /dev/vda ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done
check() { if [ "$2" = "$3" ]; then echo "GUEST-PASS $1"; else echo "GUEST-FAIL $1: got '$2' want '$3'"; fi; }
info() {
  echo "--- cpuinfo"; cat /proc/cpuinfo; echo "--- interrupts"; cat /proc/interrupts; echo "--- virtio devices"
  for d in /sys/bus/virtio/devices/*; do [ -e $d ] || continue
    echo "$(basename $d) type=$(cat $d/device) vendor=$(cat $d/vendor) status=$(cat $d/status) features=$(cat $d/features) driver=$(basename $(readlink $d/driver 2>/dev/null) 2>/dev/null) slot=$(basename $(dirname $(readlink -f $d)))"; done
  echo "--- block"; cat /proc/partitions; echo "--- net"; ip addr; echo "--- rng"; cat /sys/class/misc/hw_random/rng_current
  echo "--- iomem"; cat /proc/iomem; echo "--- time"; date; echo "--- free"; free
}
tests() {
  if [ -b /dev/vda ]; then mount -t ext4 -o ro /dev/vda /mnt && { check blk-ext4-sha "$(cd /mnt/data && sha256sum -c SHA256SUMS >/dev/null 2>&1 && echo ok)" ok; umount /mnt; }; fi
  if [ -b /dev/vdb ]; then
    dd if=/dev/urandom of=/tmp/rnd bs=64k count=64 2>/dev/null; A=$(sha256sum < /tmp/rnd)
    dd if=/tmp/rnd of=/dev/vdb bs=64k conv=fsync 2>/dev/null; echo 3 > /proc/sys/vm/drop_caches
    check blk-write-readback "$(dd if=/dev/vdb bs=64k count=64 2>/dev/null | sha256sum)" "$A"
    mke2fs /dev/vdb >/dev/null 2>&1 && mount -t ext2 /dev/vdb /mnt && { cp /tmp/rnd /mnt/f; sync; umount /mnt; echo 3 > /proc/sys/vm/drop_caches
      mount -t ext2 /dev/vdb /mnt; check blk-mkfs-mount "$(sha256sum < /mnt/f)" "$A"; umount /mnt; }
  fi
  [ -c /dev/hwrng ] && check rng-hwrng-4096 "$(dd if=/dev/hwrng bs=512 count=8 iflag=fullblock 2>/dev/null | wc -c)" 4096
  [ -c /dev/hvc0 ] && { echo "GUEST-HVC0 hello from virtio console" > /dev/hvc0; check console-write "$?" 0; }
  for p in /dev/vport*; do [ -e $p ] && echo "GUEST-VPORT $p $(cat /sys/class/virtio-ports/$(basename $p)/name)"; done
  if [ -e /sys/class/net/eth0 ]; then
    ip link set lo up; ip link set eth0 up; udhcpc -i eth0 -n -q -t 5 2>&1 | sed 's/^/GUEST-NET /'
    GW=$(ip route | sed -n 's/^default via \([0-9.]*\).*/\1/p'); check net-ping "$(ping -c 2 -W 2 $GW >/dev/null 2>&1 && echo ok)" ok
    [ -n "$URL" ] && { wget -q -O /tmp/dl $URL; echo "GUEST-NET wget size=$(wc -c < /tmp/dl) sha=$(sha256sum < /tmp/dl | cut -d' ' -f1)"; }
  fi
  grep -q 9p /proc/filesystems && { mkdir -p /mnt9; mount -t 9p -o trans=virtio,version=9p2000.L hostshare /mnt9 2>/dev/null && { echo "GUEST-9P $(ls /mnt9 | tr '\n' ' ')"; umount /mnt9; }; }
  for i in /sys/class/input/input*; do [ -e $i ] && echo "GUEST-INPUT $(cat $i/name)"; done
  for i in /sys/class/drm/card*; do [ -e $i ] && echo "GUEST-DRM $i $(cat $i/status 2>/dev/null)"; done
  echo GUEST-TEST-DONE
}
bench() {
  t() { n=$1; shift; s=$(cut -d' ' -f1 /proc/uptime); "$@" >/dev/null 2>&1; e=$(cut -d' ' -f1 /proc/uptime); echo "GUEST-BENCH $n $(echo "$s $e" | awk '{printf "%.2f", $2-$1}')s"; }
  t sha256-16M sh -c 'dd if=/dev/zero bs=1M count=16 2>/dev/null | sha256sum'
  t gzip-8M sh -c 'dd if=/dev/zero bs=1M count=8 2>/dev/null | gzip -9'
  t shloop-20000 sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'
  t fork-200 sh -c 'i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done'
  t awk-float-200k awk 'BEGIN{s=0;for(i=1;i<200000;i++)s+=sqrt(i)*sin(i);print s}'
  [ -b /dev/vda ] && t blk-read-8M dd if=/dev/vda of=/dev/null bs=64k count=128
  echo GUEST-BENCH-DONE
}
echo "GUEST-READY up=$(cut -d' ' -f1 /proc/uptime)"
case $MODE in
info) info; poweroff -f;; test) info; tests; poweroff -f;; bench) bench; poweroff -f;; off) poweroff -f;; reboot) reboot -f;;
root) mount -t ext4 /dev/vda /mnt && exec switch_root /mnt /sbin/init;;
esac
echo "Guest shell; 'poweroff -f' ends it."; setsid cttyhack sh; poweroff -f
EOS
chmod +x "$W/init"
(cd "$W" && find . | LC_ALL=C sort | fakeroot sh -c '[ -e dev/console ] || mknod dev/console c 5 1; cpio -o -H newc --quiet --reproducible' | gzip -9n) > linux/initramfs.gz

R=$A/extroot; base_tree "$R"; mkdir -p "$R/data" "$R/etc/init.d"; cp -a "$W/lib" "$R/"
head -c 1048576 linux/Image > "$R/data/image-1M.bin"; cp linux/config "$R/data/config"
(cd "$R/data" && sha256sum image-1M.bin config > SHA256SUMS); ln -sf ../bin/busybox "$R/sbin/init"
printf '%s\n' '::sysinit:/etc/init.d/rcS' '::respawn:-/bin/sh' '::ctrlaltdel:/sbin/reboot' > "$R/etc/inittab"
cat > "$R/etc/init.d/rcS" <<'EOS'
#!/bin/sh
/bin/busybox --install -s
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null
mount -o remount,rw / && echo "GUEST-ROOT rw ext4 up=$(cut -d' ' -f1 /proc/uptime)"
n=$(cat /etc/boots 2>/dev/null || echo 0); n=$((n+1)); echo $n > /etc/boots; sync; echo "GUEST-ROOT boots=$n"
EOS
chmod +x "$R/etc/init.d/rcS"
rm -f linux/root.ext4; truncate -s 64M linux/root.ext4
fakeroot mkfs.ext4 -q -F -L guestroot -E root_owner=0:0 -d "$R" linux/root.ext4
find linux opensbi u-boot edk2 -type f | LC_ALL=C sort | xargs sha256sum > MANIFEST
echo "get_guests: ready in $OUT"
