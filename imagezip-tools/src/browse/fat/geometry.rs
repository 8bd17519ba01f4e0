//! Where in a FAT file system things lie, from its boot sector.

use imagezip_core::error::{CorruptKind, ErrorKind, Result};
use imagezip_core::sector::Bytes;

/// The width of the table's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// FAT12.
    Bits12,
    /// FAT16.
    Bits16,
    /// FAT32, of which 4 bits are reserved.
    Bits32,
}

/// Where things lie, in bytes from the start of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) width: Width,
    /// The first table.
    pub(super) table: Bytes,
    /// The root directory of FAT12 and FAT16.
    pub(super) root: Bytes,
    /// Its size.
    pub(super) root_bytes: u64,
    /// The root directory's first cluster; that of FAT32.
    pub(super) root_cluster: Option<u32>,
    /// The first cluster, which has number 2.
    clusters_start: u64,
    pub(super) cluster_bytes: u64,
    /// How many clusters there are.
    pub(super) clusters: u32,
}

/// FAT12 has no more clusters than this.
const MAX_12: u64 = 4084;

impl Geometry {
    /// What a boot sector says; `None` if it is none of FAT.
    pub(super) fn parse(sector: &[u8; 512]) -> Result<Option<Self>> {
        let byte = |at: usize| u64::from(sector.get(at).copied().unwrap_or_default());
        let short = |at: usize| byte(at) | byte(at.saturating_add(1)) << 8;
        let long = |at: usize| short(at) | short(at.saturating_add(2)) << 16;
        let (sector_bytes, per_cluster) = (short(11), byte(13));
        let (reserved, tables, root_entries) = (short(14), byte(16), short(17));
        let jump = byte(0) == 0xe9 || byte(0) == 0xeb && byte(2) == 0x90;
        let media = byte(21) == 0xf0 || byte(21) >= 0xf8;
        let sizes = [512, 1024, 2048, 4096].contains(&sector_bytes);
        let known = per_cluster.is_power_of_two() && reserved > 0 && (1..=2).contains(&tables);
        if !jump || !media || !sizes || !known || short(510) != 0xaa55 {
            return Ok(None);
        }
        let is_32 = short(22) == 0;
        let table_sectors = if is_32 { long(36) } else { short(22) };
        let sectors = if short(19) == 0 { long(32) } else { short(19) };
        // All of these are of 32 bits or less, and their products of 64 bits.
        let root_sector = reserved.saturating_add(tables.saturating_mul(table_sectors));
        let root_bytes = root_entries.saturating_mul(32);
        let data_sector = root_sector.saturating_add(root_bytes.div_ceil(sector_bytes));
        let wrong = || ErrorKind::Corrupt(CorruptKind::FatGeometry);
        let data = sectors.checked_sub(data_sector).ok_or_else(wrong)?;
        let width = if is_32 {
            Width::Bits32
        } else if data / per_cluster > MAX_12 {
            Width::Bits16
        } else {
            Width::Bits12
        };
        let table_bits = table_sectors.saturating_mul(sector_bytes).saturating_mul(8);
        let bits = match width {
            Width::Bits12 => 12,
            Width::Bits16 => 16,
            Width::Bits32 => 32,
        };
        // A table that is too short for all clusters says how many there are.
        let clusters = (data / per_cluster).min((table_bits / bits).saturating_sub(2));
        let clusters = u32::try_from(clusters).map_err(|_| wrong())?;
        if clusters == 0 || table_sectors == 0 {
            return Err(wrong().into());
        }
        Ok(Some(Self {
            width,
            table: Bytes(reserved.saturating_mul(sector_bytes)),
            root: Bytes(root_sector.saturating_mul(sector_bytes)),
            root_bytes,
            root_cluster: is_32.then(|| u32::try_from(long(44)).unwrap_or_default()),
            clusters_start: data_sector.saturating_mul(sector_bytes),
            cluster_bytes: per_cluster.saturating_mul(sector_bytes),
            clusters,
        }))
    }

    /// Where cluster `number` lies; `None` if there is no such cluster.
    pub(super) fn position(&self, number: u32) -> Option<Bytes> {
        let index = number.checked_sub(2).filter(|index| *index < self.clusters)?;
        let offset = u64::from(index).checked_mul(self.cluster_bytes)?;
        self.clusters_start.checked_add(offset).map(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_boot_sector_is_judged(
            bytes in prop::collection::vec(any::<u8>(), 90),
            per_cluster in 0..8_u32,
            number: u32,
        ) {
            let mut sector = [0; 512];
            sector[..90].copy_from_slice(&bytes);
            (sector[0], sector[2], sector[21]) = (0xeb, 0x90, 0xf8);
            (sector[11], sector[12], sector[13], sector[16]) = (0, 2, 1 << per_cluster, 2);
            (sector[510], sector[511]) = (0x55, 0xaa);
            if let Ok(Some(geometry)) = Geometry::parse(&sector) {
                let position = geometry.position(number);
                prop_assert_eq!(position.is_some(), (2..geometry.clusters.saturating_add(2)).contains(&number));
            }
        }
    }

    #[test]
    fn other_sectors_are_none() {
        assert_eq!(Geometry::parse(&[0; 512]), Ok(None));
        assert_eq!(Geometry::parse(&[0xeb; 512]), Ok(None));
    }
}
