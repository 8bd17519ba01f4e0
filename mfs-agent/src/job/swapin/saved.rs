//! What was saved of the node's disk, and whether its parts belong together.

use alloc::string::String;
use alloc::vec::Vec;

use imagezip_core::buffer::PageBuffer;
use imagezip_core::device::ReadAt;
use imagezip_core::digest::{Sha256, Sha256Hasher};
use imagezip_core::sector::Bytes;
use imagezip_core::signature::Signature;
use imagezip_core::swapinfo::{Base, Meta, Part, Phase, TEXT_LIMIT};
use rustix::fd::AsFd;

use crate::cmdline::Node;
use crate::failure::{FailureKind, Result};
use crate::job::base::{BaseImage, free_memory};
use crate::progress::Progress;
use crate::project::commit::Member;
use crate::project::stored::StoredFile;
use crate::project::swapinfo::SwapInfo;

/// What is read at once to check an image.
const STEP: usize = 1 << 20;

/// What was saved, and the base image if that is needed.
pub(super) struct SavedDisk<'a> {
    pub(super) meta: Meta,
    /// `-swap.ndz`: the delta, or a full image.
    pub(super) image: StoredFile<'a>,
    /// Its name.
    pub(super) name: String,
    /// Of the disk as it was saved.
    pub(super) signature: Signature,
    /// The base image; `None` if the image is a full one.
    pub(super) base: Option<(BaseImage, StoredFile<'a>)>,
}

impl<'a> SavedDisk<'a> {
    /// Reads what there is, and checks that it is this node's and belongs together.
    ///
    /// # Errors
    /// `NothingSaved`; `WrongBase`: the base that boss has for the node is not the one that the
    /// delta was made from; `DiskMisfit`: another partition was saved; errors of files.
    pub(super) fn read(info: &'a SwapInfo, node: &Node, part: &Part) -> Result<Self> {
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
        Ok(Self { meta, image, name, signature, base })
    }

    /// Reads the whole of the image that was saved, and checks that it is what was written.
    ///
    /// # Errors
    /// `Verification`: it isn't.
    pub(super) fn check_image(&self, progress: &Progress) -> Result<()> {
        progress.enter(Phase::Verify);
        let Self { meta, image, name, .. } = self;
        let damaged = |why: core::fmt::Arguments<'_>| {
            FailureKind::Verification.because(format_args!(
                "{name} {why}; it is damaged, or not the one that was saved, and is not loaded"
            ))
        };
        if image.size().get() != meta.image_size {
            let (there, said) = (image.size(), meta.image_size);
            return Err(damaged(format_args!("has {there} bytes, but .meta says {said}")));
        }
        let digest = digest(image).map_err(|error| {
            FailureKind::ProjectFile.because(format_args!("reading {name}: {error}"))
        })?;
        if digest.0 != meta.image_sha256 {
            let said = Sha256(meta.image_sha256);
            return Err(damaged(format_args!("has SHA-256 {digest}, but .meta says {said}")));
        }
        Ok(())
    }
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

fn digest(file: &StoredFile<'_>) -> imagezip_core::Result<Sha256> {
    let mut buffer = PageBuffer::new();
    let mut hasher = Sha256Hasher::new();
    let (mut at, size) = (0_u64, file.size().get());
    while at < size {
        let left = usize::try_from(size.saturating_sub(at)).unwrap_or(usize::MAX);
        let part = buffer.grown(left.min(STEP));
        file.read_at(Bytes(at), part)?;
        hasher.update(part);
        at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests;
