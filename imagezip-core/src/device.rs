//! Positioned reads from disks, partitions, files and memory.

use alloc::vec::Vec;

use crate::error::{ErrorKind, Place, Result};
use crate::sector::{Bytes, Sector, SectorRange};

/// Something of fixed size that can be read at any position, from several threads at once.
pub trait ReadAt: Sync {
    /// The size. It doesn't change while the device is in use.
    fn size(&self) -> Bytes;

    /// Fills `buf` with the bytes that begin at `offset`.
    ///
    /// # Errors
    /// `Truncated` if they are not all inside the device, `Read` if the device fails.
    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()>;

    /// Fills `buf` with the bytes from the start of sector `start` on.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`].
    fn read_sectors(&self, start: Sector, buf: &mut [u8]) -> Result<()> {
        self.read_at(start.to_bytes(), buf)
    }

    /// All whole sectors of the device.
    fn sectors(&self) -> SectorRange {
        SectorRange::first(self.size().whole_sectors())
    }
}

impl<D: ReadAt + ?Sized> ReadAt for &D {
    fn size(&self) -> Bytes {
        (**self).size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        (**self).read_at(offset, buf)
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> Bytes {
        Bytes(u64::try_from(self.len()).unwrap_or(u64::MAX))
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let source = usize::try_from(offset.get())
            .ok()
            .and_then(|start| self.get(start..))
            .and_then(|rest| rest.get(..buf.len()))
            .ok_or_else(|| ErrorKind::Truncated.at(Place::Byte(offset)))?;
        buf.copy_from_slice(source);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> Bytes {
        self.as_slice().size()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        self.as_slice().read_at(offset, buf)
    }
}

/// A part of a device, for example a partition, as a device of its own.
#[derive(Clone, Copy)]
pub struct Window<'a, D: ?Sized> {
    device: &'a D,
    range: SectorRange,
}

impl<'a, D: ReadAt + ?Sized> Window<'a, D> {
    /// The sectors of `range`; `None` if they are not all on the device.
    pub fn new(device: &'a D, range: SectorRange) -> Option<Self> {
        device.sectors().contains(range).then_some(Self { device, range })
    }

    /// Where on the device the window lies.
    pub fn range(&self) -> SectorRange {
        self.range
    }
}

impl<D: ReadAt + ?Sized> ReadAt for Window<'_, D> {
    fn size(&self) -> Bytes {
        self.range.len().to_bytes()
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> Result<()> {
        let truncated = || ErrorKind::Truncated.at(Place::Byte(offset));
        let len = u64::try_from(buf.len()).map_err(|_| truncated())?;
        let end = offset.checked_add(len).ok_or_else(truncated)?;
        if end > self.size() {
            return Err(truncated());
        }
        let base = self.range.start().to_bytes();
        let start = base.checked_add(offset.get()).ok_or_else(truncated)?;
        self.device.read_at(start, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sector::SectorCount;
    use alloc::vec;

    #[test]
    fn a_window_ends_where_it_ends() {
        let mut disk = vec![0_u8; 4 * 512];
        disk[512] = 1;
        disk[3 * 512 - 1] = 2;
        let range = SectorRange::with_len(Sector::from_u32(1), SectorCount::from_u32(2)).unwrap();
        let window = Window::new(&disk, range).unwrap();
        let mut buf = vec![0; 1024];
        window.read_at(Bytes(0), &mut buf).unwrap();
        assert_eq!((buf[0], buf[1023]), (1, 2));
        let error = window.read_at(Bytes(1), &mut buf).unwrap_err();
        assert_eq!(error, ErrorKind::Truncated.at(Place::Byte(Bytes(1))));
        assert!(window.read_at(Bytes(u64::MAX), &mut buf).is_err());
        assert!(Window::new(&window, SectorRange::first(SectorCount::from_u32(3))).is_none());
    }
}
