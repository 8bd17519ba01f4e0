//! A node's files are replaced as a set.

use std::path::Path;

use anyhow::ensure;
use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::Part;

use super::SIGNATURE_LIMIT;
use crate::files::{Directory, FILE_MODE, Owner};

/// What a node gets.
pub(super) struct Files<'a> {
    /// The signature of its base image, which was found sound.
    pub(super) signature: &'a [u8],
    /// The name that the signature has for all nodes.
    pub(super) shared: &'a str,
    pub(super) part: &'a Part,
    /// The base image, as nodes see it.
    pub(super) base_image: Option<&'a Path>,
}

/// The name of a signature that several nodes use.
pub(super) fn shared_name(signature: &Sha256) -> String {
    format!("{signature}.sig")
}

/// The digest that such a name says, if it is one.
pub(super) fn digest_of_name(name: &str) -> Option<&str> {
    let digest = name.strip_suffix(".sig")?;
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (digest.len() == 64 && digest.bytes().all(hex)).then_some(digest)
}

/// Puts a node's files in place. The old `.part` goes first and the new one comes last, each by
/// rename; a shared signature is never changed in place, since nodes may be reading it.
pub(super) fn install(
    directory: &Directory,
    vname: &str,
    files: &Files<'_>,
    owner: Option<Owner>,
) -> anyhow::Result<()> {
    // Without an owner nobody else could read what only root and its group may.
    let mode = if owner.is_some() { FILE_MODE } else { 0o644 };
    let part = format!("{vname}.part");
    directory.remove(&part)?;
    // The link comes before what it leads to: from here on, nobody who looks for signatures that
    // are not needed any more takes that one away.
    directory.link(&format!("{vname}.sig"), Path::new(files.shared))?;
    let wanted = Sha256::of(files.signature);
    let is_there = |found: anyhow::Result<Option<Vec<u8>>>| {
        found.ok().flatten().is_some_and(|bytes| Sha256::of(&bytes) == wanted)
    };
    if !is_there(directory.read(files.shared, SIGNATURE_LIMIT)) {
        directory.replace(files.shared, files.signature, owner, mode)?;
        ensure!(
            is_there(directory.read(files.shared, SIGNATURE_LIMIT)),
            "{} doesn't hold what was written to it",
            directory.shown(files.shared)
        );
    }
    if let Some(image) = files.base_image {
        directory.link(&format!("{vname}.ndz"), image)?;
    }
    directory.replace(&part, files.part.to_string().as_bytes(), owner, mode)?;
    directory.sync()
}

/// Takes a node's files away; what it has saved stays. Files that boss doesn't make stay, too.
pub(super) fn forget(directory: &Directory, vname: &str) -> anyhow::Result<Vec<String>> {
    let mut removed = Vec::new();
    let part = format!("{vname}.part");
    if directory.remove(&part)? {
        removed.push(part);
    }
    for end in ["sig", "ndz"] {
        let name = format!("{vname}.{end}");
        if directory.link_target(&name)?.is_some() && directory.remove(&name)? {
            removed.push(name);
        }
    }
    directory.sync()?;
    Ok(removed)
}
