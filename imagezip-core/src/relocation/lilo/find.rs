//! Finding LILO's addresses in a partition.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::{
    ADDRESS_BYTES, Address, BootBlock, Description, MAP_ADDRESSES, TABLE_BYTES, TABLE_END, Target,
};
use super::{seal, xor};
use crate::device::ReadAt;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::ndz::{Reloc, RelocType};
use crate::overlay::Patch;
use crate::relocation::Fixups;
use crate::sector::{Sector, SectorCount};

/// The most map sectors that are followed: those of 200 MiB of kernels and initial RAM disks.
const MAPS_MAX: usize = 4096;

/// Finds LILO's addresses in a partition that begins at sector `start` of the disk.
///
/// If one of them can't be adjusted none is, since LILO doesn't start with half of them right: a
/// note says why.
///
/// # Errors
/// `Read` if the device fails.
pub(in crate::relocation) fn find(window: &dyn ReadAt, start: Sector) -> Result<Fixups> {
    let mut finder = Finder {
        window,
        start,
        sectors: BTreeMap::new(),
        maps: BTreeSet::new(),
        relocs: Vec::new(),
    };
    match finder.find() {
        Ok(()) => Ok(finder.fixups()),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::None) => Ok(Fixups::default()),
        Err(Stop::Unfit(why)) => {
            let notes = vec![format!("LILO is imaged as it is: {why}")];
            Ok(Fixups { notes, ..Fixups::default() })
        }
    }
}

/// Why the search ends early.
enum Stop {
    /// The device failed.
    Failed(Error),
    /// There is no LILO.
    None,
    /// There is LILO, but it can't be adjusted.
    Unfit(&'static str),
}

type Step<T> = core::result::Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

struct Finder<'a> {
    window: &'a dyn ReadAt,
    start: Sector,
    /// The sectors with addresses as the image holds them.
    sectors: BTreeMap<Sector, [u8; 512]>,
    /// Those of them that are map sectors.
    maps: BTreeSet<Sector>,
    relocs: Vec<Reloc>,
}

impl Finder<'_> {
    fn find(&mut self) -> Step<()> {
        let mut boot = self.read(Sector::ZERO)?;
        let block = BootBlock(Layout::from(&boot));
        if !block.is_lilo() {
            return Err(Stop::None);
        }
        let has_message = block.has_message();
        let table = self.locate_table(&boot)?;
        let message = has_message.then_some(BootBlock::MESSAGE);
        let fixed =
            BootBlock::TABLE.into_iter().chain([BootBlock::COMMAND_LINE, BootBlock::KEYTABLE]);
        for at in fixed.chain(message).chain(BootBlock::SECOND_STAGE.step_by(ADDRESS_BYTES)) {
            self.address(Sector::ZERO, &mut boot, at)?;
        }
        self.sectors.insert(Sector::ZERO, boot);
        self.table(table)
    }

    /// The first sector of the descriptor table.
    fn locate_table(&self, boot: &[u8; 512]) -> Step<Sector> {
        let sector = |at| self.target(Address::at(boot, at));
        let command_line = sector(BootBlock::COMMAND_LINE)?;
        let follows = |at, count| {
            let expected = command_line.checked_add(SectorCount::from_u32(count));
            Step::Ok(expected == Some(sector(at)?))
        };
        let [first, second] = BootBlock::TABLE;
        if !(follows(first, 1)? && follows(second, 2)? && follows(BootBlock::KEYTABLE, 4)?) {
            return Err(Stop::Unfit("its files are not in the usual order"));
        }
        sector(first)
    }

    /// Adjusts the descriptor table, which begins at `at`, and the map sectors that it names.
    fn table(&mut self, at: Sector) -> Step<()> {
        let second = at.saturating_add(SectorCount::from_u32(1));
        let mut table = [0; TABLE_BYTES];
        for (place, sector) in table.as_chunks_mut::<512>().0.iter_mut().zip([at, second]) {
            *place = self.read(sector)?;
        }
        if xor(&table) != 0 {
            return Err(Stop::Unfit("wrong checksum of its descriptor table"));
        }
        let original = table;
        for (place, description) in Description::all(&original) {
            let initrd = description.has_initrd().then_some(Description::INITRD);
            for field in initrd.into_iter().chain([Description::START]) {
                let field = place.saturating_add(field);
                let first = Address::at(&original, field);
                self.address(at, &mut table, field)?;
                if first.is_some_and(|first| first.target() != Target::None) {
                    self.maps(first)?;
                }
            }
        }
        seal(&mut table);
        let checksum = at.to_bytes().checked_add(TABLE_END);
        let checksum = checksum.ok_or(Stop::Unfit("its descriptor table is out of reach"))?;
        self.relocs.extend(reloc(RelocType::LILO_CHECKSUM, checksum.get(), 2));
        for (sector, bytes) in [at, second].into_iter().zip(table.as_chunks::<512>().0) {
            if self.sectors.insert(sector, *bytes).is_some() {
                return Err(Stop::Unfit("its files overlap"));
            }
        }
        Ok(())
    }

    /// Adjusts a map sector and those that follow it. Each is adjusted once, however many images
    /// share it.
    fn maps(&mut self, first: Option<Address>) -> Step<()> {
        let mut next = first;
        while next.is_some() {
            let at = self.target(next)?;
            if !self.maps.insert(at) {
                return Ok(());
            }
            if self.maps.len() > MAPS_MAX {
                return Err(Stop::Unfit("it has too many map sectors"));
            }
            let mut map = self.read(at)?;
            let (places, _) = map.as_chunks_mut::<ADDRESS_BYTES>();
            let mut count = 0_usize;
            next = None;
            for place in places.iter_mut().take(MAP_ADDRESSES) {
                let address = Address(*place);
                if address.target() == Target::None {
                    break;
                }
                *place = self.relative(address)?.0;
                count = count.saturating_add(1);
                next = (count == MAP_ADDRESSES).then_some(address);
            }
            if self.sectors.insert(at, map).is_some() {
                return Err(Stop::Unfit("its files overlap"));
            }
            self.relocs.extend(reloc(RelocType::LILO_MAP, at.to_bytes().get(), 512));
        }
        Ok(())
    }

    /// Adjusts the address `at` bytes into what begins at `sector`, if there is one.
    fn address(&mut self, sector: Sector, bytes: &mut [u8], at: usize) -> Step<()> {
        let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) else {
            return Ok(());
        };
        let address = Address(*place);
        if address.target() == Target::None {
            return Ok(());
        }
        *place = self.relative(address)?.0;
        let position =
            u64::try_from(at).unwrap_or(u64::MAX).saturating_add(sector.to_bytes().get());
        self.relocs.extend(reloc(RelocType::LILO_ADDRESS, position, 5));
        Ok(())
    }

    /// An address counted from the start of the partition.
    fn relative(&self, address: Address) -> Step<Address> {
        let sector = self.target(Some(address))?;
        // Readers take 0 in a map sector for its end.
        let moved = address.with_sector(sector.get()).filter(|_| sector > Sector::ZERO);
        moved.ok_or(Stop::Unfit("it refers to the partition's first sector"))
    }

    /// The sector of the partition that an address names.
    fn target(&self, address: Option<Address>) -> Step<Sector> {
        match address.map_or(Target::None, Address::target) {
            Target::None => Err(Stop::Unfit("an address is missing")),
            Target::Geometry => Err(Stop::Unfit("its addresses are by cylinder, head and sector")),
            Target::Sector(number) => {
                let before = SectorCount::new(self.start.get());
                let sector = before.and_then(|before| Sector::from_u32(number).checked_sub(before));
                let inside = sector.filter(|sector| *sector < self.window.sectors().end());
                inside.ok_or(Stop::Unfit("it refers to sectors outside of the partition"))
            }
        }
    }

    fn read(&self, sector: Sector) -> Step<[u8; 512]> {
        if sector >= self.window.sectors().end() {
            return Err(Stop::None);
        }
        let mut bytes = [0; 512];
        self.window.read_sectors(sector, &mut bytes)?;
        Ok(bytes)
    }

    fn fixups(mut self) -> Fixups {
        let patch = |(sector, bytes): (&Sector, &[u8; 512])| Patch {
            at: sector.to_bytes(),
            bytes: bytes.to_vec(),
        };
        let patches = self.sectors.iter().map(patch).collect();
        // By place, so the checksum comes after the addresses that it is about.
        self.relocs.sort_by_key(|reloc| (reloc.sector, reloc.offset));
        Fixups { patches, relocs: self.relocs, notes: Vec::new() }
    }
}

/// The relocation of `size` bytes from `position` on.
fn reloc(kind: RelocType, position: u64, size: u32) -> Option<Reloc> {
    let sector = Sector::new(position.wrapping_div(512))?;
    let offset = u32::try_from(position.wrapping_rem(512)).ok()?;
    Some(Reloc { kind, sector, offset, size })
}
