//! Positioned reads and writes of disks, partitions, files and memory.

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

    /// Says that `len` bytes from `offset` on will be read soon, so that a device that can do so
    /// begins to fetch them.
    fn will_need(&self, _offset: Bytes, _len: u64) {}

    /// How many bytes that nobody wants are better read than skipped, if wanted ones lie before
    /// and after them.
    fn gap(&self) -> Bytes {
        Bytes(0)
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

    fn will_need(&self, offset: Bytes, len: u64) {
        (**self).will_need(offset, len);
    }

    fn gap(&self) -> Bytes {
        (**self).gap()
    }
}

/// Something that can be written at any position, from several threads at once.
///
/// Writes of different bytes may come in any order and at the same time; nobody writes the same
/// byte twice at once.
pub trait WriteAt: Sync {
    /// Where it ends: nothing can be written beyond. `None` if it grows as it is written.
    fn end(&self) -> Option<Bytes>;

    /// Writes all of `data` from `offset` on.
    ///
    /// # Errors
    /// `Write` if the device fails, also for bytes beyond its end.
    fn write_at(&self, offset: Bytes, data: &[u8]) -> Result<()>;

    /// Makes `len` bytes from `offset` on read as zeros. Devices that can do it without being
    /// sent the zeros do it their own way.
    ///
    /// # Errors
    /// As [`WriteAt::write_at`].
    fn zero(&self, offset: Bytes, len: u64) -> Result<()> {
        write_repeated(self, offset, len, &ZEROS)
    }

    /// Tells the device that nobody needs `len` bytes from `offset` on any more; what they read
    /// as afterwards is not known. Returns how many of them the device let go: fewer where it
    /// works in larger units, none where it knows nothing of the kind.
    ///
    /// # Errors
    /// `Write` if the device fails.
    fn discard(&self, _offset: Bytes, _len: u64) -> Result<u64> {
        Ok(0)
    }
}

/// What [`WriteAt::zero`] writes, if it has to.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Writes `len` bytes from `offset` on: `block` again and again, the last time the part of it
/// that is left.
///
/// # Errors
/// As [`WriteAt::write_at`].
pub fn write_repeated<D: WriteAt + ?Sized>(
    device: &D,
    offset: Bytes,
    len: u64,
    block: &[u8],
) -> Result<()> {
    let step = u64::try_from(block.len()).unwrap_or(u64::MAX).max(1);
    let mut done = 0_u64;
    while done < len {
        let part = usize::try_from(len.saturating_sub(done)).unwrap_or(usize::MAX);
        let at = offset.checked_add(done).ok_or(ErrorKind::Write(0))?;
        device.write_at(at, block.get(..part).unwrap_or(block))?;
        done = done.saturating_add(step);
    }
    Ok(())
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

    fn will_need(&self, offset: Bytes, len: u64) {
        if let Some(start) = self.range.start().to_bytes().checked_add(offset.get()) {
            self.device.will_need(start, len);
        }
    }

    fn gap(&self) -> Bytes {
        self.device.gap()
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
