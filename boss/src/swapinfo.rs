//! What nodes need to know to save their disks and to load them again, in the `swapinfo` directory
//! of their experiment.
//!
//! `<vname>.sig` is a link to the signature of the base image, whose name is its own SHA-256, so
//! that nodes share it and a saved disk that names it keeps it. `<vname>.part` comes last: who
//! finds it finds the signature that belongs to it.

mod collect;
mod garbage;
mod install;
mod saved;

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::partition::DiskId;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::Part;

pub use collect::{Collected, Outcome, Purpose, Scope, Swapinfo, Vnode};
pub use garbage::Garbage;
pub use saved::{DiskState, Saved, SavedDisk, saved_bases, saved_nodes};

use crate::db::images::ImageSignature;
use crate::db::nodes::Disk;
use crate::files::Directory;
use crate::layout::Layout;

/// The longest signature that is read.
const SIGNATURE_LIMIT: u64 = 1 << 29;

/// Gives the node `vname` the signature of its base image and the description of its partition.
///
/// `directory` is the experiment's `swapinfo`, by a path that nobody else can change. The signature
/// is kept there under `shared`, the name that all nodes with the same image use, and `<vname>.sig`
/// becomes a relative link to it.
///
/// # Errors
/// If `signature` can't be read or is damaged, `shared` is not a plain file name, or a file can't
/// be written. Then there is no `.part` that doesn't belong to its signature.
pub fn install(
    directory: &Path,
    vname: &str,
    signature: &Path,
    shared: &str,
    part: &Part,
) -> anyhow::Result<()> {
    let plain = Path::new(shared).file_name().is_some_and(|name| name == shared);
    ensure!(plain, "{shared:?} is not a file name");
    let bytes = fs::read(signature).with_context(|| format!("reading {}", signature.display()))?;
    Signature::read(&bytes).with_context(|| format!("{} is useless", signature.display()))?;
    let files = install::Files { signature: &bytes, shared, part, base_image: None };
    install::install(&Directory::trusted(directory)?, vname, &files, None)
}

/// Gives the node `vname` its base image: `<vname>.ndz` becomes a link to `image`, a path as nodes
/// see it, relative to `directory` or below `/proj` or `/groups`.
///
/// # Errors
/// If the link can't be made.
pub fn link_base_image(directory: &Path, vname: &str, image: &Path) -> anyhow::Result<()> {
    Directory::trusted(directory)?.link(&format!("{vname}.ndz"), image)
}

/// The bytes of an image's signature, if they are those that the data base knows.
pub(crate) fn read_signature(layout: &Layout, row: &ImageSignature) -> anyhow::Result<Vec<u8>> {
    let path = Path::new(&row.path);
    let here = layout.here(path).context("its path is not below /proj or /groups")?;
    let (Some(directory), Some(name)) = (here.parent(), path.file_name()) else {
        anyhow::bail!("{} is no path of a file", row.path);
    };
    let directory = Directory::below(layout, directory)?;
    let name = name.to_string_lossy();
    let bytes = directory.read(&name, SIGNATURE_LIMIT)?;
    let bytes = bytes.with_context(|| {
        format!(
            "{} is gone; sign the image on its page (boss image sign-missing)",
            directory.shown(&name)
        )
    })?;
    ensure!(
        Sha256::of(&bytes).to_string() == row.sha256,
        "{} isn't what it was; sign the image on its page anew (boss image sign-missing)",
        directory.shown(&name)
    );
    Signature::read(&bytes).with_context(|| format!("{} is useless", directory.shown(&name)))?;
    Ok(bytes)
}

/// The description of a disk and its partitions, the one that is loaded and the one that boots.
pub(crate) fn part_of(
    disk: &Disk,
    (load_partition, boot_partition): (u8, u8),
    base_sha256: Option<[u8; 32]>,
) -> anyhow::Result<Part> {
    let guid = disk.disk_guid.as_deref();
    let disk_guid = guid
        .map(|guid| DiskId::parse(guid).with_context(|| format!("{guid:?} is no GUID of a disk")))
        .transpose()?;
    let part = Part {
        disk: disk.name.clone(),
        load_partition,
        boot_partition,
        serial: disk.serial.clone(),
        wwn: disk.wwn.clone(),
        disk_guid,
        disk_size: disk.bytes,
        sector_size: disk.sector_size,
        base_sha256,
    };
    // The data base may hold what no node can read.
    let read = Part::parse(part.to_string().as_bytes())
        .with_context(|| format!("what is known of disk {:?} makes no .part", disk.name))?;
    ensure!(read == part, "what is known of disk {:?} makes another .part", disk.name);
    Ok(part)
}

/// The disk that a node boots from.
pub(crate) fn boot_disk(disks: Vec<Disk>) -> anyhow::Result<Disk> {
    disks.into_iter().find(|disk| disk.boots).context("no disk is known that it boots from")
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::digest::HashType;
    use imagezip_core::signature::HashBlockSize;
    use std::os::unix::fs::PermissionsExt;

    fn part() -> Part {
        Part::parse(b"DISK=sda LOADPART=0 BOOTPART=2").unwrap()
    }

    fn signature() -> Vec<u8> {
        let mut bytes = Vec::new();
        Signature::new(HashType::Sha1, HashBlockSize::DEFAULT).write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_pair_is_replaced_and_the_link_is_relative() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("swapinfo");
        fs::create_dir(&directory).unwrap();
        let source = scratch.path().join("image.sig");
        fs::write(&source, signature()).unwrap();
        for shared in ["first.sig", "second.sig"] {
            install(&directory, "node-a", &source, shared, &part()).unwrap();
            assert_eq!(fs::read_link(directory.join("node-a.sig")).unwrap(), Path::new(shared));
            assert_eq!(fs::read(directory.join("node-a.sig")).unwrap(), signature());
            let line = fs::read(directory.join("node-a.part")).unwrap();
            assert_eq!(line, b"DISK=sda LOADPART=0 BOOTPART=2\n");
            // Nodes read them in their user's name.
            for name in [shared, "node-a.part"] {
                let mode = fs::metadata(directory.join(name)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o644, "{name}");
            }
        }
    }

    #[test]
    fn what_fails_half_way_leaves_no_part() {
        let scratch = tempfile::tempdir().unwrap();
        let source = scratch.path().join("image.sig");
        fs::write(&source, signature()).unwrap();
        install(scratch.path(), "a", &source, "good.sig", &part()).unwrap();
        fs::create_dir(scratch.path().join("new.sig")).unwrap();
        assert!(install(scratch.path(), "a", &source, "new.sig", &part()).is_err());
        assert!(!scratch.path().join("a.part").exists());
    }

    #[test]
    fn the_base_image_is_a_link() {
        let directory = tempfile::tempdir().unwrap();
        for image in ["first.ndz", "/proj/testbed/images/second.ndz"] {
            link_base_image(directory.path(), "node-a", Path::new(image)).unwrap();
            let link = fs::read_link(directory.path().join("node-a.ndz")).unwrap();
            assert_eq!(link, Path::new(image));
        }
    }

    #[test]
    fn a_damaged_signature_leaves_what_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let source = scratch.path().join("image.sig");
        fs::write(&source, signature()).unwrap();
        install(scratch.path(), "a", &source, "good.sig", &part()).unwrap();
        fs::write(&source, &signature()[..31]).unwrap();
        let error = install(scratch.path(), "a", &source, "bad.sig", &part()).unwrap_err();
        assert!(format!("{error:#}").contains("useless"), "{error:#}");
        assert!(scratch.path().join("a.part").exists());
        assert!(!scratch.path().join("bad.sig").exists());
        assert!(install(scratch.path(), "a", &source, "../bad.sig", &part()).is_err());
    }
}
