//! The ext2, ext3 and ext4 parser against e2fsprogs and the Linux kernel.
//!
//! Every file system is made by `mke2fs` and read by `dumpe2fs`, whose lists of free blocks are
//! the oracle. Recovery is compared with what `e2fsck` makes of the same disk.

mod clean;
mod journal;
mod mounted;
mod tools;
