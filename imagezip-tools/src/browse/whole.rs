//! The device that images make, with the size that its file systems need.

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place, Result};
use imagezip_core::layers::Layers;
use imagezip_core::ndz::{HEADER_BYTES, Version};
use imagezip_core::sector::Bytes;

/// The size of the largest disk that images of version 1 can be of: their sector numbers have 32
/// bits.
const LARGEST: Bytes = Bytes(512 << 32);

/// The device that images make. Images of version 1 don't say how large the disk was, only what
/// is in use; behind that, the device goes on with zeros.
pub struct Whole<'a> {
    layers: &'a Layers<'a>,
    size: Bytes,
}

impl<'a> Whole<'a> {
    /// The device that `layers` are.
    ///
    /// # Errors
    /// If a header can't be read.
    pub fn new(layers: &'a Layers<'a>) -> Result<Self> {
        let images = (0..layers.image_count()).filter_map(|number| layers.image(number));
        let mut sized = false;
        for image in images.filter(|image| image.chunk_count() > 0) {
            let mut area = [0; HEADER_BYTES];
            sized |= image.read_header(0, &mut area)?.version() != Version::V1;
        }
        let size = if sized { layers.size() } else { layers.size().max(LARGEST) };
        Ok(Self { layers, size })
    }
}

impl ReadAt for Whole<'_> {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.size);
        end.ok_or_else(truncated)?;
        let there = self.layers.size().get().saturating_sub(offset.get());
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(buf.len());
        let (held, rest) = buf.split_at_mut(there);
        rest.fill(0);
        if held.is_empty() { Ok(()) } else { self.layers.read_at(offset, held) }
    }
}
