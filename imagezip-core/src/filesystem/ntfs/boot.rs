//! The boot sector: shape and size of the volume (docs/format.md, "NTFS").

use core::ops::Range;

use crate::error::{CorruptKind, ErrorKind, Place, Result};
use crate::layout::Layout;
use crate::sector::{Bytes, SECTOR_BYTES, Sector, SectorCount, SectorRange};

/// The bytes of the boot sector that are read, whatever the sectors' size.
pub(super) const SIZE: usize = 512;

const OEM_ID: [u8; 8] = *b"NTFS    ";

/// The boot sector as it lies on the disk.
struct View<'a>(Layout<'a, SIZE>);

#[rustfmt::skip]
impl View<'_> {
    fn oem_id(&self) -> [u8; 8] { self.0.array::<0x03, 8>() }
    fn sector_size(&self) -> u16 { self.0.u16::<0x0b>() }
    fn cluster_size(&self) -> u8 { self.0.u8::<0x0d>() }
    fn sectors(&self) -> u64 { self.0.u64::<0x28>() }
    fn mft_cluster(&self) -> u64 { self.0.u64::<0x30>() }
    fn record_size(&self) -> u8 { self.0.u8::<0x40>() }

    /// Fields that FAT has and NTFS leaves empty.
    fn is_other(&self) -> bool {
        self.0.array::<0x0e, 7>() != [0; 7] || self.0.u16::<0x16>() != 0 || self.0.u32::<0x20>() != 0
    }
}

/// Whether a boot sector is one of NTFS.
pub(super) fn is_ntfs(bytes: &[u8; SIZE]) -> bool {
    View(Layout::from(bytes)).oem_id() == OEM_ID
}

/// The shape of a volume that holds together and fits its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    /// The binary logarithm of the bytes of a cluster: 9 to 21.
    cluster_shift: u32,
    /// How many whole clusters there are.
    pub(super) clusters: u64,
    /// The volume's size.
    pub(super) size: SectorCount,
    /// The first cluster of the MFT.
    pub(super) mft_cluster: u64,
    /// The bytes of a record of the MFT: a power of two from 512 to 65536.
    pub(super) record_size: usize,
}

impl Geometry {
    /// Takes the boot sector of a volume on a device of size `device` apart.
    ///
    /// # Errors
    /// `Corrupt` if no volume can be like this.
    pub(super) fn parse(bytes: &[u8; SIZE], device: Bytes) -> Result<Self> {
        let corrupt = |kind: CorruptKind| ErrorKind::Corrupt(kind).at(Place::Byte(Bytes(0)));
        let view = View(Layout::from(bytes));
        let parsed = Self::of(&view).ok_or_else(|| corrupt(CorruptKind::NtfsBootSector))?;
        if parsed.size > device.whole_sectors() {
            return Err(corrupt(CorruptKind::FileSystemSize));
        }
        Ok(parsed)
    }

    fn of(view: &View<'_>) -> Option<Self> {
        let sector_size = u32::from(view.sector_size());
        let sector_fits = sector_size.is_power_of_two() && (512..=4096).contains(&sector_size);
        if view.is_other() || !sector_fits {
            return None;
        }
        let sector_shift = sector_size.trailing_zeros();
        // Beyond 128 sectors it is a negative power of two.
        let count_shift = match view.cluster_size() {
            count @ 1..=0x80 if count.is_power_of_two() => count.trailing_zeros(),
            power @ 0xf4.. => u32::from(power.wrapping_neg()),
            _ => return None,
        };
        let cluster_shift = sector_shift.checked_add(count_shift).filter(|shift| *shift <= 21)?;
        let size = view.sectors().checked_mul(u64::from(sector_size))?;
        let clusters = view.sectors().wrapping_shr(count_shift);
        let record_size = match view.record_size() {
            count @ 1..=0x7f => u32::from(count).checked_shl(cluster_shift)?,
            power => 1_u32.checked_shl(u32::from(power.wrapping_neg()))?,
        };
        let record_fits = record_size.is_power_of_two() && (512..=65536).contains(&record_size);
        let mft_cluster = view.mft_cluster();
        let size = Bytes(size).whole_sectors();
        (record_fits && mft_cluster < clusters).then_some(Self {
            cluster_shift,
            clusters,
            size,
            mft_cluster,
            record_size: usize::try_from(record_size).ok()?,
        })
    }

    /// The bytes of a cluster.
    pub(super) fn cluster_bytes(&self) -> u64 {
        1_u64.wrapping_shl(self.cluster_shift)
    }

    /// The bytes of so many clusters.
    pub(super) fn bytes(&self, clusters: u64) -> Option<u64> {
        clusters.checked_mul(self.cluster_bytes())
    }

    /// The cluster in which a byte lies, and the byte's offset there.
    pub(super) fn locate(&self, at: u64) -> (u64, u64) {
        let mask = self.cluster_bytes().wrapping_sub(1);
        (at.wrapping_shr(self.cluster_shift), at & mask)
    }

    /// The clusters, as sectors, if all are inside the volume.
    pub(super) fn sectors(&self, clusters: &Range<u64>) -> Option<SectorRange> {
        let sector = |cluster: u64| {
            let inside = Some(cluster).filter(|cluster| *cluster <= self.clusters)?;
            Sector::new(self.bytes(inside)? / SECTOR_BYTES)
        };
        SectorRange::new(sector(clusters.start)?, sector(clusters.end)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(sector: u16, cluster: u8, sectors: u64, record: u8) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[3..11].copy_from_slice(&OEM_ID);
        bytes[0x0b..0x0d].copy_from_slice(&sector.to_le_bytes());
        bytes[0x0d] = cluster;
        bytes[0x28..0x30].copy_from_slice(&sectors.to_le_bytes());
        bytes[0x30] = 4;
        bytes[0x40] = record;
        bytes
    }

    fn parse(bytes: &[u8; SIZE]) -> Option<(u64, u64, usize)> {
        let geometry = Geometry::parse(bytes, Bytes(1 << 40)).ok()?;
        Some((geometry.cluster_bytes(), geometry.clusters, geometry.record_size))
    }

    #[test]
    fn sizes_of_clusters_and_records() {
        assert_eq!(parse(&boot(512, 8, 8007, 0xf6)), Some((4096, 1000, 1024)));
        assert_eq!(parse(&boot(512, 1, 8007, 2)), Some((512, 8007, 1024)));
        assert_eq!(parse(&boot(512, 0x80, 12800, 0xf6)), Some((1 << 16, 100, 1024)));
        assert_eq!(parse(&boot(512, 0xf4, 40960, 0xf6)), Some((2 << 20, 10, 1024)));
        assert_eq!(parse(&boot(4096, 0xf7, 5120, 0xf4)), Some((2 << 20, 10, 4096)));
        for bytes in [
            boot(256, 8, 8007, 0xf6),
            boot(8192, 8, 8007, 0xf6),
            boot(513, 8, 8007, 0xf6),
            boot(512, 0, 8007, 0xf6),
            boot(512, 3, 8007, 0xf6),
            boot(512, 0x81, 8007, 0xf6),
            boot(512, 0xf3, 1 << 20, 0xf6),
            boot(1024, 0xf4, 1 << 20, 0xf6),
            boot(512, 8, 8007, 0),
            boot(512, 8, 8007, 3),
            boot(512, 8, 8007, 0x80),
            boot(512, 8, 8007, 0xf8),
            boot(512, 8, 39, 0xf6),
            boot(512, 8, u64::MAX, 0xf6),
        ] {
            assert_eq!(parse(&bytes), None);
        }
        let mut fat = boot(512, 8, 8007, 0xf6);
        fat[0x10] = 2;
        assert_eq!(parse(&fat), None);
        let error = Geometry::parse(&boot(512, 8, 8007, 0xf6), Bytes(8006 * 512)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::FileSystemSize));
    }
}
