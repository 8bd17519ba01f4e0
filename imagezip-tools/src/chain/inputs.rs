//! The images that something is made of.

use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, ensure};
use imagezip_core::device::ReadAt;
use imagezip_core::error::{Error, Place};
use imagezip_core::extent::ExtentSet;
use imagezip_core::layers::{AnyImage, Layers};
use imagezip_core::ndz::{Format, HEADER_BYTES, Image, Version};
use imagezip_core::sector::SectorRange;

use crate::host::FileDevice;
use crate::keys::KeyRing;

/// Image files that are open.
pub struct Inputs {
    files: Vec<Input>,
    keys: KeyRing,
    /// How many chunks to keep open beside one for each image.
    open_chunks: usize,
}

/// An image file.
pub struct Input {
    path: PathBuf,
    file: FileDevice,
    modified: SystemTime,
}

impl Inputs {
    /// Opens the images at `paths`, the lowest first, which are read with `keys`. Of a stack of
    /// them about `open_chunks` chunks are kept open, and one for each image.
    ///
    /// # Errors
    /// If one of them can't be read.
    pub fn open<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        keys: KeyRing,
        open_chunks: usize,
    ) -> anyhow::Result<Self> {
        let open = |path: P| Input::open(path.as_ref());
        let files = paths.into_iter().map(open).collect::<anyhow::Result<_>>()?;
        Ok(Self { files, keys, open_chunks })
    }

    /// The number of images.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The images of `range` on top of each other.
    ///
    /// # Errors
    /// If one of them is damaged or, where a key for that was given, not signed.
    pub fn stack(&self, range: Range<usize>) -> anyhow::Result<Stack<'_>> {
        let inputs = self.files.get(range).context("there are fewer images")?;
        let mut images = Vec::with_capacity(inputs.len());
        for input in inputs {
            let reading = || format!("reading {}", input.path.display());
            let file: &dyn ReadAt = &input.file;
            let image = Image::open_with(file, &self.keys).with_context(reading)?;
            self.keys.check_all_signed(&image).with_context(reading)?;
            images.push(image);
        }
        let open_chunks = self.open_chunks.saturating_add(images.len());
        let layers = Layers::new(images, open_chunks).map_err(|error| explain(inputs, error))?;
        Ok(Stack { inputs, layers })
    }

    /// Checks that writing to `output` would not destroy an image that is needed for it.
    ///
    /// # Errors
    /// If it is one of the images.
    pub fn check_output(&self, output: &Path) -> anyhow::Result<()> {
        // What isn't there yet is none of them.
        let Ok(there) = std::fs::metadata(output) else { return Ok(()) };
        for input in &self.files {
            let metadata = input.file.file().metadata().with_context(|| input.name())?;
            let same = (metadata.dev(), metadata.ino()) == (there.dev(), there.ino());
            ensure!(!same, "{}: is one of the images to read: give another name", output.display());
        }
        Ok(())
    }
}

impl Input {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = FileDevice::open(path)?;
        let modified = file.file().metadata().and_then(|metadata| metadata.modified());
        let modified = modified.with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), file, modified })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// When the file was last changed.
    pub fn modified(&self) -> SystemTime {
        self.modified
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Images on top of each other.
pub struct Stack<'a> {
    inputs: &'a [Input],
    /// The device that they make.
    pub layers: Layers<'a>,
}

impl Stack<'_> {
    /// The image files, the lowest first.
    pub fn inputs(&self) -> &[Input] {
        self.inputs
    }

    /// The topmost image's file.
    ///
    /// # Errors
    /// If there are no images.
    pub fn top(&self) -> anyhow::Result<&Input> {
        self.inputs.last().context("there is no image")
    }

    /// The sectors that the topmost image holds.
    pub fn top_extents(&self) -> ExtentSet {
        let top = self.inputs.len().checked_sub(1);
        top.and_then(|top| self.layers.visible(top)).cloned().unwrap_or_default()
    }

    /// The latest time of change of all images.
    pub fn modified(&self) -> Option<SystemTime> {
        self.inputs.iter().map(Input::modified).max()
    }

    /// Adds the name of the image to an error of reading the device.
    pub fn explain(&self, error: Error) -> anyhow::Error {
        explain(self.inputs, error)
    }

    /// The version to write, if the user doesn't ask for one, and the identity to give the image:
    /// version 5 if an image is of version 5 or its numbers are needed, else version 3.
    ///
    /// # Errors
    /// If a header can't be read.
    pub fn format(&self, in_use: &ExtentSet) -> anyhow::Result<(Format, [u8; 16])> {
        let mut id = None;
        let images = (0..self.inputs.len()).filter_map(|number| self.layers.image(number));
        for (image, input) in images.zip(self.inputs) {
            let reading = || format!("reading {}", input.name());
            id = identity(image).with_context(reading)?.or(id);
        }
        let end = SectorRange::first(self.layers.sectors()).end();
        let needs64 = u32::try_from(end.max(in_use.end().unwrap_or_default()).get()).is_err();
        let format = if id.is_some() || needs64 { Format::V5 } else { Format::V3 };
        Ok((format, id.unwrap_or_default()))
    }
}

/// The identity of an image of version 5.
fn identity(image: &AnyImage<'_>) -> imagezip_core::Result<Option<[u8; 16]>> {
    if image.chunk_count() == 0 {
        return Ok(None);
    }
    let mut area = [0; HEADER_BYTES];
    let header = image.read_header(0, &mut area)?;
    Ok(header.image_id().filter(|_| header.version() == Version::V5))
}

fn explain(inputs: &[Input], error: Error) -> anyhow::Error {
    let input = |layer: u32| usize::try_from(layer).ok().and_then(|layer| inputs.get(layer));
    match error.place {
        Place::Layer { layer, chunk } => {
            let name = input(layer).map_or_else(|| "an image".to_owned(), Input::name);
            let error = Error { place: Place::Chunk(chunk), ..error };
            anyhow::Error::new(error).context(format!("reading {name}"))
        }
        _ => anyhow::Error::new(error),
    }
}
