//! What a signature is of: an image, or a file that is none.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::SystemTime;

use anyhow::{Context, bail};
use imagezip_core::device::ReadAt;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Image, Reloc, RelocType};
use imagezip_core::pipeline::{
    Difference, Differences, Hashing, Workers, differences, hash_device, hash_image,
    relocated_sectors,
};
use imagezip_core::sector::{Bytes, Sector, SectorCount};
use imagezip_core::signature::Signature;

use crate::host::FileDevice;
use crate::keys::KeyRing;

/// An image, or a file that is none, of which there is or will be a signature.
#[derive(Debug)]
pub struct Subject {
    path: PathBuf,
    file: FileDevice,
    modified: SystemTime,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Image(Box<KeyRing>),
    Plain,
}

impl Subject {
    /// The image at `path`, to be read with these keys.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn image(path: &Path, keys: KeyRing) -> anyhow::Result<Self> {
        Self::open(path, Content::Image(Box::new(keys)))
    }

    /// The file at `path` as it is.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn plain(path: &Path) -> anyhow::Result<Self> {
        Self::open(path, Content::Plain)
    }

    fn open(path: &Path, content: Content) -> anyhow::Result<Self> {
        let file = FileDevice::open(path)?;
        let modified = file.file().metadata().and_then(|metadata| metadata.modified());
        let modified = modified.with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), file, modified, content })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the file was last changed.
    pub fn modified(&self) -> SystemTime {
        self.modified
    }

    /// How many bytes there are to hash.
    ///
    /// # Errors
    /// If it can't be read or is damaged.
    pub fn data_len(&self) -> anyhow::Result<Bytes> {
        let Content::Image(keys) = &self.content else { return Ok(self.file.size()) };
        let mut sectors = SectorCount::ZERO;
        let counted = self.open_image(keys)?.headers(&mut |header| {
            sectors = sectors.saturating_add(header.sector_count());
            Ok(())
        });
        counted.map(|()| sectors.to_bytes()).with_context(|| self.reading())
    }

    /// Its signature, made of its data. How many bytes have been hashed is added to `done`.
    ///
    /// # Errors
    /// If it can't be read or is damaged.
    pub fn hash(
        &self,
        workers: &dyn Workers,
        how: Hashing,
        done: &AtomicU64,
    ) -> anyhow::Result<Signature> {
        let signature = match &self.content {
            Content::Image(keys) => hash_image(workers, &self.open_image(keys)?, how, done),
            Content::Plain => hash_device(workers, &self.file, how.hash_type, how.block, done),
        };
        signature.with_context(|| self.reading())
    }

    /// Compares the data of the image with `device`, as [`differences`] does.
    ///
    /// # Errors
    /// If it is no image, can't be read or is damaged; what the device or `each` reports.
    pub fn compare(
        &self,
        workers: &dyn Workers,
        device: &dyn ReadAt,
        done: &AtomicU64,
        each: &mut (dyn FnMut(&Difference) -> imagezip_core::Result<()> + Send),
    ) -> anyhow::Result<Differences> {
        let Content::Image(keys) = &self.content else {
            bail!("plain files are compared by cmp(1)");
        };
        let image = self.open_image(keys)?;
        differences(workers, &image, device, Sector::ZERO, done, each)
            .with_context(|| format!("comparing with {}", self.path.display()))
    }

    /// The relocations of the image, in order; a plain file has none.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn relocations(&self) -> anyhow::Result<Vec<Reloc>> {
        let mut all = Vec::new();
        if let Content::Image(keys) = &self.content {
            let gathered = self.open_image(keys)?.headers(&mut |header| {
                all.extend(header.relocs().filter(|reloc| reloc.kind != RelocType::NONE));
                Ok(())
            });
            gathered.with_context(|| self.reading())?;
        }
        Ok(all)
    }

    /// The sectors that these relocations are about.
    ///
    /// # Errors
    /// If the image is damaged.
    pub fn relocated(&self) -> anyhow::Result<ExtentSet> {
        match &self.content {
            Content::Image(keys) => {
                relocated_sectors(&self.open_image(keys)?).with_context(|| self.reading())
            }
            Content::Plain => Ok(ExtentSet::new()),
        }
    }

    fn open_image<'a>(&'a self, keys: &'a KeyRing) -> anyhow::Result<Image<'a, FileDevice>> {
        let image = Image::open_with(&self.file, keys).with_context(|| self.reading())?;
        keys.check_all_signed(&image).with_context(|| self.reading())?;
        Ok(image)
    }

    fn reading(&self) -> String {
        format!("reading {}", self.path.display())
    }
}
