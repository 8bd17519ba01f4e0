//! What a directory tree holds, as the kernel shows it: what `imagefs` has to show, too.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) kind: String,
    pub(crate) mode: String,
    pub(crate) owner: (u64, u64),
    pub(crate) links: u64,
    pub(crate) size: u64,
    /// Seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
    pub(crate) device: Option<(u64, u64)>,
    pub(crate) target: Option<Vec<u8>>,
}

/// A tree, by the paths in it.
pub(crate) type Tree = BTreeMap<Vec<u8>, Facts>;

/// The tree below `root`.
pub(crate) fn of_directory(root: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    add(root, b"", &mut tree)?;
    Ok(tree)
}

fn add(directory: &Path, path: &[u8], tree: &mut Tree) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = [path, b"/", entry.file_name().as_bytes()].concat();
        let metadata = entry.metadata()?;
        let kind = metadata.file_type();
        let word = if kind.is_dir() {
            "directory"
        } else if kind.is_symlink() {
            "symlink"
        } else if kind.is_char_device() {
            "character device"
        } else if kind.is_block_device() {
            "block device"
        } else if kind.is_fifo() {
            "fifo"
        } else if kind.is_socket() {
            "socket"
        } else {
            "file"
        };
        let is_device = kind.is_char_device() || kind.is_block_device();
        let numbers = (
            metadata.rdev() >> 8 & 0xfff,
            metadata.rdev() & 0xff | metadata.rdev() >> 12 & 0xf_ff00,
        );
        let target = if kind.is_symlink() {
            Some(fs::read_link(entry.path())?.as_os_str().as_bytes().to_vec())
        } else {
            None
        };
        let facts = Facts {
            kind: word.to_owned(),
            mode: format!("{:04o}", metadata.mode() & 0o7777),
            owner: (metadata.uid().into(), metadata.gid().into()),
            links: metadata.nlink(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            device: is_device.then_some(numbers),
            target,
        };
        tree.insert(path.clone(), facts);
        if kind.is_dir() {
            add(&entry.path(), &path, tree)?;
        }
    }
    Ok(())
}

/// The tree that `imagefs ls --json -R` prints.
pub(crate) fn of_json(text: &str) -> Result<Tree> {
    let json: Value = serde_json::from_str(text)?;
    let files = json.as_array().context("no array")?;
    files.iter().map(|file| of_object(file).with_context(|| file.to_string())).collect()
}

fn of_object(file: &Value) -> Result<(Vec<u8>, Facts)> {
    let number = |key: &str| file[key].as_u64();
    let text = |key: &str| file[key].as_str().map(str::to_owned);
    let device = file["device"]
        .as_array()
        .map(|pair| (pair[0].as_u64().unwrap_or_default(), pair[1].as_u64().unwrap_or_default()));
    let facts = Facts {
        kind: text("type").context("type")?,
        mode: text("mode").context("mode")?,
        owner: (number("uid").context("uid")?, number("gid").context("gid")?),
        links: number("links").context("links")?,
        size: number("size").context("size")?,
        modified: (
            file["modified"].as_i64().context("modified")?,
            file["modified_nanoseconds"].as_i64().context("nanoseconds")?,
        ),
        device,
        target: bytes(file, "target")?,
    };
    Ok((bytes(file, "path")?.context("path")?, facts))
}

/// The bytes of a name.
pub(crate) fn bytes(object: &Value, key: &str) -> Result<Option<Vec<u8>>> {
    if let Some(hex) = object[format!("{key}_hex")].as_str() {
        let pairs = hex.as_bytes().chunks(2);
        let bytes = pairs.map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?));
        return bytes.collect::<Result<_>>().map(Some);
    }
    Ok(object[key].as_str().map(|text| text.as_bytes().to_vec()))
}
