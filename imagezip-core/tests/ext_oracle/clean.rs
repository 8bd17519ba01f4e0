//! File systems that were left cleanly.

use imagezip_core::filesystem::FilesystemKind;

use crate::tools::{Disk, Outcome};

/// Makes file systems and compares them, as made and after a change.
fn all(cases: &[(u64, &str)]) -> Outcome {
    for (mib, options) in cases {
        let disk = Disk::make(*mib, options)?;
        disk.check(options)?;
        disk.churn()?;
        disk.check(&format!("{options}, changed"))?;
    }
    Ok(())
}

#[test]
fn what_mke2fs_makes_by_default() -> Outcome {
    all(&[(20, "-t ext2"), (100, "-t ext3"), (100, "-t ext4"), (600, "-t ext4 -T default")])?;
    let kind =
        |options| Ok::<_, Box<dyn std::error::Error>>(Disk::make(20, options)?.allocation()?.kind);
    assert_eq!(kind("-t ext2")?, FilesystemKind::Ext2);
    assert_eq!(kind("-t ext3")?, FilesystemKind::Ext3);
    assert_eq!(kind("-t ext4")?, FilesystemKind::Ext4);
    Ok(())
}

#[test]
fn block_sizes() -> Outcome {
    all(&[
        (64, "-t ext4 -b 1024"),
        (64, "-t ext4 -b 1024 -O ^64bit"),
        (200, "-t ext4 -b 2048"),
        (200, "-t ext4 -b 4096"),
        (200, "-t ext4 -b 8192"),
        (200, "-t ext4 -b 65536"),
        (64, "-t ext2 -b 1024"),
        (64, "-t ext3 -b 2048"),
    ])
}

#[test]
fn checksums() -> Outcome {
    all(&[
        (64, "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg"),
        (64, "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,^flex_bg"),
        (64, "-t ext4 -b 1024 -O ^metadata_csum,uninit_bg,64bit"),
        (64, "-t ext4 -b 1024 -O ^metadata_csum,^uninit_bg"),
        (64, "-t ext4 -b 1024 -O metadata_csum,metadata_csum_seed"),
        (64, "-t ext4 -b 1024 -O metadata_csum,^64bit"),
        (64, "-t ext4 -b 1024 -E lazy_itable_init=0"),
    ])?;
    // The seed stays when the identifier changes.
    let disk = Disk::make(64, "-t ext4 -O metadata_csum_seed")?;
    let path = disk.path().as_os_str();
    crate::tools::run("tune2fs", &["-U".as_ref(), "random".as_ref(), path])?;
    disk.check("another identifier")
}

#[test]
fn layouts() -> Outcome {
    all(&[
        (64, "-t ext4 -b 1024 -O ^flex_bg"),
        (64, "-t ext4 -b 1024 -G 4"),
        (64, "-t ext4 -b 1024 -G 1"),
        (64, "-t ext4 -b 1024 -O ^resize_inode"),
        (64, "-t ext4 -b 1024 -O ^sparse_super,^resize_inode"),
        (64, "-t ext4 -b 1024 -O sparse_super2"),
        (64, "-t ext4 -b 1024 -O sparse_super2,^resize_inode -E num_backup_sb=1"),
        (64, "-t ext4 -b 1024 -O sparse_super2,^resize_inode -E num_backup_sb=0"),
        (64, "-t ext4 -b 1024 -g 1024 -N 4000"),
        (64, "-t ext4 -I 128 -N 1000"),
        (64, "-t ext4 -I 1024 -N 999"),
        (32, "-t ext2 -r 0"),
    ])
}

#[test]
fn descriptors_in_their_groups() -> Outcome {
    all(&[
        (200, "-t ext4 -b 1024 -O meta_bg,^resize_inode"),
        (200, "-t ext4 -b 1024 -O meta_bg,^resize_inode,^64bit"),
        (200, "-t ext4 -b 1024 -O meta_bg,^resize_inode,^flex_bg"),
        (200, "-t ext4 -b 1024 -O meta_bg,^resize_inode,^metadata_csum,uninit_bg"),
        (200, "-t ext4 -b 1024 -g 2048 -O meta_bg,^resize_inode"),
        (200, "-t ext2 -b 1024 -O meta_bg,^resize_inode"),
    ])
}

#[test]
fn clusters() -> Outcome {
    all(&[
        (200, "-t ext4 -O bigalloc"),
        (200, "-t ext4 -O bigalloc -b 1024 -C 16384"),
        (200, "-t ext4 -O bigalloc -b 1024 -C 4096 -G 1"),
        (200, "-t ext4 -O bigalloc -b 4096 -C 131072"),
        (200, "-t ext4 -O bigalloc,meta_bg,^resize_inode -b 1024 -C 8192"),
    ])
}

#[test]
fn features_that_do_not_matter() -> Outcome {
    all(&[
        (64, "-t ext4 -O inline_data"),
        (64, "-t ext4 -O casefold -E encoding=utf8"),
        (64, "-t ext4 -O encrypt,verity,stable_inodes"),
        (64, "-t ext4 -O quota,project"),
        (64, "-t ext4 -O orphan_file,large_dir,ea_inode"),
        (64, "-t ext4 -O mmp"),
        (64, "-t ext4 -O ^has_journal"),
        (64, "-t ext4 -O fast_commit"),
        (64, "-t ext4 -O extents,^huge_file,^dir_nlink,^extra_isize,^dir_index"),
        (64, "-t ext4 -O ^extents,^64bit"),
    ])
}

/// The end of a disk that no file system covers is in use, and so are its odd last sectors.
#[test]
fn space_after_the_file_system_is_in_use() -> Outcome {
    for (options, size) in [
        ("-t ext4 -b 1024", "20483k"),
        ("-t ext4 -b 4096", "25004k"),
        ("-t ext4 -O bigalloc -b 1024 -C 16384", "30725k"),
        ("-t ext2 -b 1024 -g 256", "8197k"),
    ] {
        let disk = Disk::blank(40)?;
        disk.format(options, size)?;
        disk.check(options)?;
        let file = std::fs::OpenOptions::new().write(true).open(disk.path())?;
        file.set_len((40 << 20) + 3 * 512)?;
        disk.check(options)?;
        let last = disk.sectors()?;
        assert_eq!(disk.allocation()?.in_use.end(), Some(last.end()), "{options}");
    }
    Ok(())
}

#[test]
fn after_a_resize() -> Outcome {
    for options in ["-t ext4 -b 1024", "-t ext4 -b 1024 -O ^64bit,^metadata_csum,uninit_bg"] {
        let disk = Disk::blank(200)?;
        disk.format(options, "40M")?;
        for size in ["150M", "90M"] {
            let path = disk.path().as_os_str();
            crate::tools::run("e2fsck", &["-fy".as_ref(), path])?;
            crate::tools::run("resize2fs", &[path, size.as_ref()])?;
            disk.check(&format!("{options}, {size}"))?;
        }
    }
    Ok(())
}
