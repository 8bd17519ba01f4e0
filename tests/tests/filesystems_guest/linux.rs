//! File systems of Linux, on a disk without layers.

use crate::case::{Case, PLAIN, Volume};

pub(crate) const ON_EXT4: Volume = Volume {
    mount: "mount -t ext4 $1 $m",
    check: "e2fsck -fn $1",
    // 1: errors were corrected. The journal is replayed, too.
    recover: "e2fsck -fy $1 || [ $? = 1 ]",
    mib: 16,
};

pub(crate) const ON_XFS: Volume = Volume {
    mount: "mount -t xfs $1 $m",
    check: "xfs_repair -n $1",
    // Mounting replays the log.
    recover: "mount -t xfs $1 $m; umount $m",
    mib: 16,
};

const BTRFS: Volume = Volume {
    mount: "mount -t btrfs $1 $m",
    check: "btrfs check --readonly $1",
    recover: "mount -t btrfs $1 $m; umount $m",
    mib: 16,
};

const F2FS: Volume = Volume {
    mount: "mount -t f2fs $1 $m",
    check: "fsck.f2fs --dry-run $1",
    // Mounting rolls forward to what was synced.
    recover: "mount -t f2fs $1 $m; umount $m",
    mib: 16,
};

const ANY_F2FS: Case =
    Case { kind: "F2FS", judge: "fsck.f2fs --dry-run", disks: &[128], volumes: &[F2FS], ..PLAIN };

pub(crate) const EXT4: Case = Case {
    kind: "ext",
    variant: "ext4, kernel 6.1",
    name: "ext4",
    make: "mke2fs -q -t ext4 $1",
    volumes: &[ON_EXT4],
    judge: "e2fsck -fn",
    ..PLAIN
};

pub(crate) const XFS: Case = Case {
    kind: "XFS",
    variant: "v5, kernel 6.1",
    name: "xfs",
    disks: &[300],
    make: "mkfs.xfs -q $1",
    volumes: &[ON_XFS],
    judge: "xfs_repair -n",
    ..PLAIN
};

pub(crate) const BTRFS_SINGLE: Case = Case {
    kind: "Btrfs",
    variant: "single, kernel 6.1",
    name: "btrfs",
    disks: &[160],
    make: "mkfs.btrfs -q $1",
    volumes: &[BTRFS],
    judge: "btrfs check",
    aware: false,
    ..PLAIN
};

pub(crate) const F2FS_PLAIN: Case =
    Case { variant: "defaults", name: "f2fs", make: "mkfs.f2fs -q $1", ..ANY_F2FS };

pub(crate) const F2FS_FEATURES: Case = Case {
    variant: "with checksums, extra attributes, compression, quotas",
    name: "f2fs-features",
    make: "mkfs.f2fs -q -O extra_attr,inode_checksum,sb_checksum,inode_crtime,compression,\
           lost_found,quota $1",
    volumes: &[Volume { mount: "mount -t f2fs -o compress_algorithm=lz4 $1 $m", ..F2FS }],
    ..ANY_F2FS
};
