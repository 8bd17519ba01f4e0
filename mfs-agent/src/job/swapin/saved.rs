//! What was saved of the node's disk, and whether its parts belong together.

use alloc::vec::Vec;

use imagezip_core::digest::Sha256;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Meta, Part, TEXT_LIMIT};
use rustix::fd::AsFd;

use super::contents::{Contents, Expected, Origin};
use crate::cmdline::Node;
use crate::failure::{FailureKind, Result};
use crate::job::base::{BaseImage, free_memory};
use crate::project::commit::Member;
use crate::project::stored::StoredFile;
use crate::project::swapinfo::SwapInfo;

/// Reads what was saved of the node's disk, and checks that it is this node's and belongs together.
///
/// # Errors
/// `NothingSaved`; `WrongBase`: the base that boss has for the node is not the one that the delta
/// was made from; `DiskMisfit`: another partition was saved; errors of files.
pub(super) fn read<'a>(info: &'a SwapInfo, node: &Node, part: &Part) -> Result<Contents<'a>> {
    let meta = read_meta(info)?;
    is_of(&meta, node)?;
    if meta.load_partition != part.load_partition {
        return Err(FailureKind::DiskMisfit.because(format_args!(
            "{} was saved with LOADPART={}, but .part says LOADPART={}; 0 is the whole disk",
            node, meta.load_partition, part.load_partition
        )));
    }
    let base = match &meta.base {
        None => None,
        Some(needed) => {
            let base = BaseImage::read(info)?;
            is_meant(needed, &base, part)?;
            Some((base, info.open_base()?))
        }
    };
    let signature = read_signature(info, &meta)?;
    let name = info.commit().name(Member::Image);
    let image = StoredFile::open(info.directory().as_fd(), &name, info.patience())?;
    Ok(Contents {
        image,
        name,
        signature,
        base,
        partition: meta.load_partition,
        origin: Some(Origin { disk_size: meta.disk_size, sector_size: meta.sector_size }),
        expected: Some(Expected {
            size: Some(meta.image_size),
            sha256: Sha256(meta.image_sha256),
            said_by: ".meta",
            fault: FailureKind::Verification,
        }),
    })
}

fn read_meta(info: &SwapInfo) -> Result<Meta> {
    let commit = info.commit();
    let name = commit.name(Member::Meta);
    let Some(text) = commit.read(Member::Meta, TEXT_LIMIT)? else {
        let there = commit.image_size()?.is_some();
        let image = commit.name(Member::Image);
        let why = if there {
            " says what it belongs to; it is not loaded, as it could be on another base image's"
        } else {
            " is there either: the disk was never saved here"
        };
        let what = if there { "is there, but no " } else { "isn't there, and no " };
        return Err(FailureKind::NothingSaved.because(format_args!("{image} {what}{name}{why}")));
    };
    Meta::parse(&text)
        .map_err(|error| FailureKind::WrongBase.because(format_args!("{name}: {error}")))
}

/// Checks that it was saved by this node.
fn is_of(meta: &Meta, node: &Node) -> Result<()> {
    let Node { pid, eid, vname } = node;
    if meta.pid == pid.as_str() && meta.eid == eid.as_str() && meta.vname == vname.as_str() {
        return Ok(());
    }
    let Meta { pid, eid, vname, .. } = meta;
    Err(FailureKind::WrongBase.because(format_args!(
        "{node} has an image that was saved as {vname} of {pid}/{eid}; it is not loaded, as it is \
         another node's disk"
    )))
}

/// Checks that boss's base image is the one that the delta was made from.
fn is_meant(needed: &Base, base: &BaseImage, part: &Part) -> Result<()> {
    let (there, said) = (base.file.sha256, Sha256(needed.signature_sha256));
    if there != said {
        return Err(FailureKind::WrongBase.because(format_args!(
            "the delta was made from {} (signature with SHA-256 {said}), but boss has {} for the \
             node (SHA-256 {there}); nothing is loaded, as the two would make a broken disk; let \
             boss give the node the base image again that it had",
            needed.name, base.file.name
        )));
    }
    match (needed.image_sha256, part.base_sha256) {
        (Some(needed), Some(there)) if needed != there => {
            Err(FailureKind::WrongBase.because(format_args!(
                "the delta was made from a base image with SHA-256 {}, but .part says {}",
                Sha256(needed),
                Sha256(there)
            )))
        }
        _ => Ok(()),
    }
}

/// The signature of the disk as it was saved.
fn read_signature(info: &SwapInfo, meta: &Meta) -> Result<Signature> {
    let name = info.commit().name(Member::Signature);
    let limit = usize::try_from(free_memory() / 4).unwrap_or(usize::MAX);
    let fail = |why: &dyn core::fmt::Display| {
        FailureKind::SignatureFile.because(format_args!("{name}: {why}"))
    };
    let bytes = info.commit().read(Member::Signature, limit)?;
    let bytes: Vec<u8> = bytes.ok_or_else(|| fail(&"it isn't there"))?;
    let (there, said) = (Sha256::of(&bytes), meta.signature_sha256.map(Sha256));
    if let Some(said) = said.filter(|said| *said != there) {
        return Err(fail(&format_args!("has SHA-256 {there}, but .meta says {said}")));
    }
    Signature::read(bytes.as_slice()).map_err(|error| fail(&error))
}

#[cfg(test)]
mod tests;
