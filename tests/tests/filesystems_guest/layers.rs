//! Layers below file systems: LVM, RAID, LUKS.

use crate::case::{Case, Expected, PLAIN, Volume};
use crate::linux::{ON_EXT4, ON_XFS};

const VG_FREE: &str = "vgs --noheadings --nosuffix --units b -o vg_free vg_$n";
const VG_UP: &str = "vgchange -q -ay vg_$n";
const VG_DOWN: &str = "vgchange -q -an vg_$n";

/// In a part that is saved whole.
const fn whole(volume: Volume) -> Volume {
    Volume { whole: true, ..volume }
}

const fn ext4(mount: &'static str, check: &'static str, recover: &'static str) -> Volume {
    Volume { mount, check, recover, ..ON_EXT4 }
}

/// The root volume comes in two pieces.
pub(crate) const LVM: Case = Case {
    kind: "LVM",
    variant: "ext4 in two pieces, XFS, swap",
    name: "lvm",
    disks: &[320],
    make: "vgcreate -q -s 4M vg_$n $1
           lvcreate -q -L 48M -n root vg_$n
           lvcreate -q -L 64M -n data vg_$n
           lvcreate -q -L 32M -n swap vg_$n
           lvextend -q -L +48M vg_$n/root
           mke2fs -q -t ext4 /dev/vg_$n/root
           TEST_DIR=1 TEST_DEV=1 QA_CHECK_FS=1 mkfs.xfs -q /dev/vg_$n/data
           mkswap -q /dev/vg_$n/swap",
    up: VG_UP,
    down: VG_DOWN,
    free: "vgs --noheadings --nosuffix --units b -o vg_free vg_$n
           blockdev --getsize64 /dev/vg_$n/swap",
    volumes: &[
        ext4(
            "mount /dev/vg_$n/root $m",
            "e2fsck -fn /dev/vg_$n/root",
            "e2fsck -fy /dev/vg_$n/root || [ $? = 1 ]",
        ),
        Volume {
            mount: "mount /dev/vg_$n/data $m",
            check: "xfs_repair -n /dev/vg_$n/data; swaplabel /dev/vg_$n/swap",
            recover: "mount /dev/vg_$n/data $m; umount $m",
            ..ON_XFS
        },
    ],
    judge: "vgchange, e2fsck -fn, xfs_repair -n",
    ..PLAIN
};

/// What is thin, and what has a snapshot, is saved whole; the rest of the group is not.
pub(crate) const LVM_THIN: Case = Case {
    variant: "thin pool with a snapshot, snapshot of ext4",
    name: "thin",
    disks: &[256],
    make: "vgcreate -q -s 4M vg_$n $1
           lvcreate -q -T -L 64M vg_$n/pool
           lvcreate -q -T -V 64M -n thin vg_$n/pool
           lvcreate -q -L 48M -n root vg_$n
           mke2fs -q -t ext4 /dev/vg_$n/thin
           mke2fs -q -t ext4 /dev/vg_$n/root
           lvcreate -q -s -n kept vg_$n/thin
           lvcreate -q -s -L 32M -n old vg_$n/root",
    up: VG_UP,
    down: VG_DOWN,
    free: VG_FREE,
    volumes: &[
        whole(ext4(
            "mount /dev/vg_$n/thin $m",
            "e2fsck -fn /dev/vg_$n/thin",
            "e2fsck -fy /dev/vg_$n/thin || [ $? = 1 ]",
        )),
        whole(ext4(
            "mount /dev/vg_$n/root $m",
            "e2fsck -fn /dev/vg_$n/root; e2fsck -fn /dev/vg_$n/old",
            "e2fsck -fy /dev/vg_$n/root || [ $? = 1 ]",
        )),
    ],
    judge: "vgchange, e2fsck -fn",
    ..LVM
};

const MD_EXT4: Volume =
    ext4("mount /dev/md$k $m", "e2fsck -fn /dev/md$k", "e2fsck -fy /dev/md$k || [ $? = 1 ]");

const RAID: Case = Case {
    kind: "Linux RAID",
    disks: &[64, 64],
    up: "mdadm --assemble /dev/md$k $1 $2",
    // Free sectors have to be the same on both, too, or those who look for differences find some.
    check: "echo check > /sys/block/md$k/md/sync_action
            mdadm --wait /dev/md$k || true
            [ $(cat /sys/block/md$k/md/mismatch_cnt) = 0 ]",
    down: "mdadm --wait /dev/md$k || true; mdadm --stop /dev/md$k",
    volumes: &[MD_EXT4],
    judge: "mdadm, e2fsck -fn",
    ..PLAIN
};

pub(crate) const RAID_1_2: Case = Case {
    variant: "RAID1, 1.2 with a bitmap, ext4",
    name: "raid-1-2",
    make: "mdadm --create /dev/md$k --metadata=1.2 --bitmap=internal --level=1 --raid-devices=2 \
           --run $1 $2
           mke2fs -q -t ext4 /dev/md$k",
    ..RAID
};

pub(crate) const RAID_0_90: Case = Case {
    variant: "RAID1, 0.90, ext4",
    name: "raid-0-90",
    make: "mdadm --create /dev/md$k --metadata=0.90 --level=1 --raid-devices=2 --run $1 $2
           mke2fs -q -t ext4 /dev/md$k",
    ..RAID
};

/// As firmware wants it that reads one disk of a mirrored EFI system partition.
pub(crate) const RAID_1_0: Case = Case {
    variant: "RAID1, 1.0, FAT",
    name: "raid-1-0",
    make: "mdadm --create /dev/md$k --metadata=1.0 --level=1 --raid-devices=2 --run $1 $2
           mkfs.fat -F 32 -s 1 /dev/md$k",
    volumes: &[Volume {
        mount: "mount -t vfat /dev/md$k $m",
        check: "fsck.fat -n /dev/md$k",
        recover: "for turn in 1 2 3 4; do fsck.fat -a /dev/md$k && break; done",
        mib: 16,
        whole: false,
    }],
    judge: "mdadm, fsck.fat -n",
    ..RAID
};

pub(crate) const RAID_LVM: Case = Case {
    variant: "RAID1, 1.2, LVM with ext4",
    name: "raid-lvm",
    disks: &[96, 96],
    make: "mdadm --create /dev/md$k --metadata=1.2 --level=1 --raid-devices=2 --run $1 $2
           vgcreate -q -s 4M vg_$n /dev/md$k
           lvcreate -q -L 48M -n root vg_$n
           mke2fs -q -t ext4 /dev/vg_$n/root",
    up: "mdadm --assemble /dev/md$k $1 $2; vgchange -q -ay vg_$n",
    down: "vgchange -q -an vg_$n; mdadm --wait /dev/md$k || true; mdadm --stop /dev/md$k",
    free: VG_FREE,
    volumes: &[ext4(
        "mount /dev/vg_$n/root $m",
        "e2fsck -fn /dev/vg_$n/root",
        "e2fsck -fy /dev/vg_$n/root || [ $? = 1 ]",
    )],
    judge: "mdadm, vgchange, e2fsck -fn",
    ..RAID
};

pub(crate) const LUKS2: Case = Case {
    kind: "LUKS",
    variant: "LUKS2, ext4",
    name: "luks2",
    make: "printf secret | cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 \
           --pbkdf-force-iterations 1000 $1 -
           printf secret | cryptsetup open --key-file - $1 $n
           mke2fs -q -t ext4 /dev/mapper/$n",
    up: "printf secret | cryptsetup open --key-file - $1 $n",
    down: "cryptsetup close $n",
    volumes: &[ext4(
        "mount /dev/mapper/$n $m",
        "e2fsck -fn /dev/mapper/$n",
        "e2fsck -fy /dev/mapper/$n || [ $? = 1 ]",
    )],
    judge: "cryptsetup, e2fsck -fn",
    expected: Expected::Raw,
    ..PLAIN
};
