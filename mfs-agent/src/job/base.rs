//! The base image that boss has for the node, as far as its signature tells.

use imagezip_core::allocation::DiskMap;
use imagezip_core::signature::Signature;
use rustix::system::sysinfo;

use crate::disk::Disk;
use crate::failure::{FailureKind, Result};
use crate::project::swapinfo::{BaseSignature, SwapInfo};

/// The image that the disk was loaded from, as far as its signature tells.
pub(in crate::job) struct BaseImage {
    /// The signature's file. Its content is not kept.
    pub(in crate::job) file: BaseSignature,
    pub(in crate::job) signature: Signature,
}

impl BaseImage {
    /// Reads the signature that boss put there for the node. It may take a quarter of the memory
    /// that is free.
    ///
    /// # Errors
    /// `SignatureFile`
    pub(in crate::job) fn read(info: &SwapInfo) -> Result<Self> {
        let limit = usize::try_from(free_memory() / 4).unwrap_or(usize::MAX);
        let mut file = info.read_signature(limit)?;
        let bytes = core::mem::take(&mut file.bytes);
        let signature = Signature::read(bytes.as_slice()).map_err(|error| {
            FailureKind::SignatureFile.because(format_args!("{}: {error}", file.name))
        })?;
        log::info!("base {}: SHA-256 {}", file.name, file.sha256);
        Ok(Self { file, signature })
    }

    /// Checks that it can be the base of what is saved.
    ///
    /// # Errors
    /// `SignatureFile`
    pub(in crate::job) fn check_fits(&self, map: &DiskMap, disk: &Disk) -> Result<()> {
        let end = self.signature.end().map_or(0, imagezip_core::sector::Sector::get);
        let size = map.sectors();
        if end <= size.get() {
            return Ok(());
        }
        Err(FailureKind::SignatureFile.because(format_args!(
            "{}: its last sector is {end}, but what is saved of disk {} ends at {size}; it is the \
             signature of something larger",
            self.file.name, disk.name
        )))
    }
}

/// The memory that nobody uses, in bytes.
pub(in crate::job) fn free_memory() -> u64 {
    let memory = sysinfo();
    u64::from(memory.mem_unit).saturating_mul(memory.freeram)
}
