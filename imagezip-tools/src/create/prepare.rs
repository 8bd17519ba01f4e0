//! What goes into an image, before anything is written.

use anyhow::{Context, anyhow, ensure};
use imagezip_core::allocation::{DiskMap, Options, Selection, scan};
use imagezip_core::device::{ReadAt, Window};
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::{Format, Reloc};
use imagezip_core::overlay::{Overlay, Patch};
use imagezip_core::partition::{LogicalSectorSize, Partition, PartitionKind, boot};
use imagezip_core::relocation::{self, Fixups};
use imagezip_core::sector::{Sector, SectorCount, SectorRange};

use super::request::{Relocations, Request};
use crate::partition::find;

/// What an image holds, and in which form.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Which sectors.
    pub map: DiskMap,
    /// What they hold other than the disk does, counted from the start of the disk.
    pub patches: Vec<Patch>,
    /// Sectors of the disk that are saved as zeros.
    pub zeroed: ExtentSet,
    /// What is adjusted when the image goes to another place.
    pub relocs: Vec<Reloc>,
    /// The version of the image.
    pub format: Format,
    /// For people.
    pub notes: Vec<String>,
}

impl Prepared {
    /// Finds out what an image of `device` holds.
    ///
    /// # Errors
    /// If the device can't be read, or the request can't be met.
    pub fn new(
        device: &dyn ReadAt,
        sector_size: LogicalSectorSize,
        request: &Request,
    ) -> anyhow::Result<Self> {
        let options = Options {
            least_free: request.least_free,
            ignored: &request.ignored,
            raw: &request.raw,
            without_slack: request.without_slack,
            count: request.count,
            ..Options::new(sector_size)
        };
        let name = request.source.display().to_string();
        let partition = match (request.selection, request.boot) {
            (Selection::Partition(number), _) | (_, Some(number)) => {
                Some(find(device, &name, sector_size, number)?)
            }
            _ => None,
        };
        let (map, patches) = match request.boot {
            Some(root) => boot_image(device, options, root)?,
            None => (scan(device, request.selection, options)?, Vec::new()),
        };
        check_amount(&map, request)?;
        let mut this = Self {
            format: format_for(request, map.sectors()),
            map,
            patches,
            zeroed: ExtentSet::new(),
            relocs: Vec::new(),
            notes: Vec::new(),
        };
        if request.zero_forgotten {
            this.zeroed = this.map.forgotten.absolute_from(this.map.base());
        }
        this.add_relocations(device, partition.as_ref(), request)?;
        Ok(this)
    }

    /// The device as the image has it.
    pub fn view<'a>(&self, device: &'a dyn ReadAt) -> Overlay<'a> {
        Overlay::new(device, self.patches.clone(), self.zeroed.clone())
    }

    fn add_relocations(
        &mut self,
        device: &dyn ReadAt,
        partition: Option<&Partition>,
        request: &Request,
    ) -> anyhow::Result<()> {
        let (kind, start) = match (request.relocations, request.selection, partition) {
            (Relocations::Never, _, _) => return Ok(()),
            (_, Selection::Partition(_), Some(partition)) => {
                (partition.kind, partition.range.start())
            }
            (Relocations::Always, Selection::FileSystem(Some(kind)), _) => {
                (PartitionKind::Mbr(kind), Sector::ZERO)
            }
            _ => return Ok(()),
        };
        let window = Window::new(device, self.map.area).context("the partition has gone")?;
        let Fixups { patches, relocs, notes } = relocation::find(&window, kind, start)?;
        self.notes.extend(notes);
        if self.format == Format::V1 && !relocs.is_empty() {
            self.notes.push(
                "version 1 has no relocations: the image only fits where it was made".to_owned(),
            );
            return Ok(());
        }
        let base = self.map.base();
        self.patches.extend(patches.into_iter().map(|patch| patch.absolute_from(base)));
        self.relocs.extend(relocs);
        Ok(())
    }
}

/// The map of a disk that is cut down to what boots `root`, and its table.
fn boot_image(
    device: &dyn ReadAt,
    options: Options<'_>,
    root: u32,
) -> anyhow::Result<(DiskMap, Vec<Patch>)> {
    let boot = boot::plan(device, options.sector_size, root)?;
    let part = Window::new(device, SectorRange::first(boot.sectors));
    let part = part.context("the boot image would end after the disk")?;
    let image = Overlay::new(&part, boot.patches.clone(), ExtentSet::new());
    let options = Options { unused: Some(&boot.unused), ..options };
    Ok((scan(&image, Selection::WholeDisk, options)?, boot.patches))
}

/// Whether there is something, and not too much.
fn check_amount(map: &DiskMap, request: &Request) -> anyhow::Result<()> {
    const SECTORS_PER_MIB: u64 = 2048;
    ensure!(!map.in_use.is_empty(), "no valid data: there is nothing to save");
    let Some(most) = request.max_data else { return Ok(()) };
    let there = map.allocated().get();
    if there > most.saturating_mul(SECTORS_PER_MIB) {
        let there = there.div_ceil(SECTORS_PER_MIB);
        return Err(anyhow!("{there} MiB are in use, more than the {most} MiB of -A"));
    }
    Ok(())
}

/// The version that was asked for, or the oldest that has numbers for all sectors.
fn format_for(request: &Request, sectors: SectorCount) -> Format {
    let fits = Format::V3.check_size(sectors).is_ok();
    request.format.unwrap_or(match request.id {
        None if fits => Format::V3,
        _ => Format::V5,
    })
}
