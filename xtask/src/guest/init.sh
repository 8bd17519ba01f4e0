#!/bin/busybox sh
# PID 1 of a guest: puts itself into the host's files and runs the script that the host gives it.
b=/bin/busybox

$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
# What the kernel itself asks for is found in here, too.
echo /bin/modprobe > /proc/sys/kernel/modprobe
for module in $($b cat /etc/modules); do
	$b modprobe "$module" || echo "guest: cannot load $module"
done

shared=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o "ro,$shared,cache=loose" host /host || echo "guest: no root"
$b mount -t devtmpfs dev /host/dev
$b mount -t proc proc /host/proc
$b mount -t sysfs sys /host/sys
for place in tmp run mnt; do
	$b mount -t tmpfs -o mode=755 "$place" "/host/$place"
done
$b mkdir -p /host/run/job /host/run/lock /host/run/lvm
$b mount -t 9p -o "$shared" job /host/run/job || echo "guest: no job"
$b ip link set lo up

export HOME=/tmp LC_ALL=C.UTF-8 TZ=UTC
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# There is no udev to wait for.
export DM_DISABLE_UDEV=1
echo "guest: starts the job at $($b cut -d ' ' -f 1 /proc/uptime)"
$b chroot /host /bin/sh -c 'cd /run/job && exec /bin/sh -eu ./script < /dev/null'
status=$?
$b sync
echo "guest: the job ended with status $status"
$b poweroff -f
