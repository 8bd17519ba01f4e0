//! Puts in place what a node needs to know to save its disk, `<vname>.sig` and `<vname>.part`, and
//! what it needs to load it again, `<vname>.ndz`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, ensure};
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::Part;

/// Gives the node `vname` the signature of its base image and the description of its partition.
///
/// `directory` is the experiment's `swapinfo`. The signature is kept there under `shared`, the
/// name that all nodes with the same image use, and `<vname>.sig` becomes a relative link to it.
///
/// A node that finds a `.part` finds the signature that belongs to it: the old `.part` goes first
/// and the new one comes last, each by rename. A shared signature that is there is replaced by
/// rename, never changed in place, since other nodes may be reading it.
///
/// # Errors
/// If `signature` can't be read or is damaged, `shared` is not a plain file name, or a file can't
/// be written. Then there is no `.part`, so the node is not saved with the wrong signature.
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

    let part_file = directory.join(format!("{vname}.part"));
    match fs::remove_file(&part_file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", part_file.display()));
        }
        _ => {}
    }
    replace(&directory.join(shared), &bytes)?;

    link(directory, &format!("{vname}.sig"), Path::new(shared))?;
    replace(&part_file, part.to_string().as_bytes())
}

/// Gives the node `vname` its base image: `<vname>.ndz` becomes a link to `image`, a path as nodes
/// see it, relative to `directory` or below `/proj` or `/groups`.
///
/// # Errors
/// If the link can't be made.
pub fn link_base_image(directory: &Path, vname: &str, image: &Path) -> anyhow::Result<()> {
    link(directory, &format!("{vname}.ndz"), image)
}

/// Makes a link, or replaces it by rename.
fn link(directory: &Path, name: &str, target: &Path) -> anyhow::Result<()> {
    let link = directory.join(name);
    let new_link = directory.join(format!("{name}.tmp-link"));
    let _ = fs::remove_file(&new_link);
    symlink(target, &new_link)
        .and_then(|()| fs::rename(&new_link, &link))
        .with_context(|| format!("linking {}", link.display()))
}

/// Writes a whole file under a temporary name, makes it durable and renames it.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imagezip_core::digest::HashType;
    use imagezip_core::signature::HashBlockSize;

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
        }
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
