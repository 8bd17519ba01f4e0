//! FAT and exFAT.

use crate::case::{Case, PLAIN, Volume};

const FAT: Volume = Volume {
    mount: "mount -t vfat $1 $m",
    check: "fsck.fat -n $1",
    // 1: errors were found, and corrected; some are only seen when others are gone.
    recover: "fsck.fat -a $1 || [ $? = 1 ]; fsck.fat -a $1 || [ $? = 1 ]",
    mib: 16,
};

const EXFAT: Volume = Volume {
    mount: "mount -t exfat $1 $m",
    check: "fsck.exfat -n $1",
    recover: "fsck.exfat -y $1 || [ $? = 1 ]",
    mib: 16,
};

const ANY_FAT: Case = Case { kind: "FAT", judge: "fsck.fat -n", volumes: &[FAT], ..PLAIN };
const ANY_EXFAT: Case = Case { kind: "exFAT", judge: "fsck.exfat -n", volumes: &[EXFAT], ..PLAIN };

pub(crate) const FAT12: Case = Case {
    variant: "FAT12",
    name: "fat12",
    disks: &[8],
    make: "mkfs.fat -F 12 $1",
    volumes: &[Volume { mib: 3, ..FAT }],
    ..ANY_FAT
};

pub(crate) const FAT16: Case =
    Case { variant: "FAT16", name: "fat16", make: "mkfs.fat -F 16 $1", ..ANY_FAT };

pub(crate) const FAT32: Case =
    Case { variant: "FAT32", name: "fat32", make: "mkfs.fat -F 32 -s 1 $1", ..ANY_FAT };

pub(crate) const FAT32_4K: Case = Case {
    variant: "FAT32, sectors of 4096 bytes",
    name: "fat32-4k",
    disks: &[320],
    make: "mkfs.fat -F 32 -S 4096 -s 1 $1",
    ..ANY_FAT
};

pub(crate) const EXFAT_SMALL: Case =
    Case { variant: "4 KiB clusters", name: "exfat", make: "mkfs.exfat -c 4K $1", ..ANY_EXFAT };

pub(crate) const EXFAT_LARGE: Case = Case {
    variant: "32 KiB clusters",
    name: "exfat-32k",
    make: "mkfs.exfat -c 32K $1",
    ..ANY_EXFAT
};
