//! More sections for a PE file that is there already.
//!
//! Format: Microsoft, "PE Format". objcopy would do, if it were told addresses; fixed ones, as
//! many recipes have them, let a section that has grown lie over the next, and the machine then
//! boots half a kernel. Here each section begins after the end of the one before, in the file and
//! in memory, and what comes out is parsed again.

use anyhow::{Context, Result, anyhow, bail, ensure};
use object::LittleEndian as LE;
use object::endian::{U16, U32};
use object::pe::{
    IMAGE_FILE_MACHINE_AMD64, IMAGE_SCN_CNT_INITIALIZED_DATA, IMAGE_SCN_MEM_READ,
    IMAGE_SIZEOF_SHORT_NAME, ImageFileHeader, ImageNtHeaders64, ImageSectionHeader,
};
use object::pod::{bytes_of, from_bytes_mut};
use object::read::pe::PeFile64;

/// Sections begin at a page in memory, whatever less the file asks for.
const PAGE: u32 = 4096;

/// Bytes to find under a name.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// At most eight characters.
    pub name: &'a str,
    /// At least one byte.
    pub content: &'a [u8],
}

/// The PE file `file` with `sections` after its own, to be read at run time and not changed, and
/// without symbols for debuggers.
///
/// # Errors
/// If the file is none for x86-64, has no room for more section headers, has one of the names
/// already, is signed, or has data that belongs to no section; or if the result is too big.
pub fn append(file: &[u8], sections: &[Section<'_>]) -> Result<Vec<u8>> {
    let layout = Layout::of(file)?;
    let mut out = file.get(..layout.end_of_sections).context("odd sections")?.to_vec();
    let (mut address, mut headers) = (layout.end_of_memory, Vec::new());
    let mut added = 0u32;
    for section in sections {
        let length = u32::try_from(section.content.len()).context("a section is too big")?;
        ensure!(length > 0, "section {} is empty", section.name);
        let start = u32::try_from(out.len()).context("the file is too big")?;
        let raw = align(length, layout.file_alignment)?;
        headers.push(header(section.name, address, length, start, raw)?);
        out.extend_from_slice(section.content);
        let end = start.checked_add(raw).context("the file is too big")?;
        out.resize(usize::try_from(end)?, 0);
        address = align(
            address.checked_add(length).context("the image is too big")?,
            layout.memory_alignment,
        )?;
        added = added.checked_add(raw).context("the file is too big")?;
    }
    layout.write_headers(&mut out, &headers, address, added)?;
    verify(&out, sections)?;
    Ok(out)
}

/// Where the parts of a file are.
struct Layout {
    nt_headers: usize,
    /// Where the sections end in the file; debuggers' symbols may follow.
    end_of_sections: usize,
    /// Where the next section header goes.
    free_header: usize,
    end_of_headers: usize,
    end_of_memory: u32,
    file_alignment: u32,
    memory_alignment: u32,
}

impl Layout {
    fn of(file: &[u8]) -> Result<Self> {
        let pe = PeFile64::parse(file).map_err(|error| anyhow!("not a PE file: {error}"))?;
        let nt = pe.nt_headers();
        ensure!(nt.file_header.machine.get(LE) == IMAGE_FILE_MACHINE_AMD64, "not for x86-64");
        let optional = &nt.optional_header;
        let alignment = optional.section_alignment.get(LE);
        let file_alignment = optional.file_alignment.get(LE);
        ensure!(
            alignment.is_power_of_two() && file_alignment.is_power_of_two(),
            "odd alignments: {alignment} and {file_alignment}"
        );
        let certificates = pe.data_directory(object::pe::IMAGE_DIRECTORY_ENTRY_SECURITY);
        ensure!(
            certificates.is_none_or(|entry| entry.size.get(LE) == 0),
            "it is signed, and would no longer be what was signed"
        );
        let (mut end_of_memory, mut end_of_file) = (optional.size_of_image.get(LE), 0);
        for section in pe.section_table().iter() {
            let end = |start: u32, length: u32| start.checked_add(length).context("odd section");
            end_of_memory = end_of_memory
                .max(end(section.virtual_address.get(LE), section.virtual_size.get(LE))?);
            end_of_file = end_of_file
                .max(end(section.pointer_to_raw_data.get(LE), section.size_of_raw_data.get(LE))?);
        }
        let end_of_sections = usize::try_from(end_of_file)?;
        let symbols = nt.file_header.pointer_to_symbol_table.get(LE);
        ensure!(
            end_of_sections == file.len()
                || (end_of_sections < file.len() && symbols == end_of_file),
            "it has bytes that belong to no section, or lacks some"
        );
        ensure!(end_of_file.is_multiple_of(file_alignment), "its sections end at {end_of_file}");
        let nt_headers = usize::try_from(pe.dos_header().nt_headers_offset())?;
        let first_header = nt_headers
            .checked_add(4 + size_of::<ImageFileHeader>())
            .and_then(|at| at.checked_add(nt.file_header.size_of_optional_header.get(LE).into()))
            .context("odd headers")?;
        let used = pe.section_table().len().checked_mul(size_of::<ImageSectionHeader>());
        let memory_alignment = alignment.max(PAGE);
        Ok(Self {
            nt_headers,
            end_of_sections,
            free_header: used.and_then(|n| n.checked_add(first_header)).context("odd headers")?,
            end_of_headers: usize::try_from(optional.size_of_headers.get(LE))?,
            end_of_memory: align(end_of_memory, memory_alignment)?,
            file_alignment,
            memory_alignment,
        })
    }

    /// Adds the headers, and makes the others agree with them.
    fn write_headers(
        &self,
        out: &mut [u8],
        headers: &[ImageSectionHeader],
        size_of_image: u32,
        added: u32,
    ) -> Result<()> {
        let mut at = self.free_header;
        for header in headers {
            let end = at.checked_add(size_of::<ImageSectionHeader>()).context("odd headers")?;
            ensure!(
                end <= self.end_of_headers,
                "no room for {} more section headers",
                headers.len()
            );
            let place = out.get_mut(at..end).context("no room for section headers")?;
            ensure!(place.iter().all(|&byte| byte == 0), "no room for more section headers");
            place.copy_from_slice(bytes_of(header));
            at = end;
        }
        let place = out.get_mut(self.nt_headers..).context("odd headers")?;
        let Ok((nt, _)) = from_bytes_mut::<ImageNtHeaders64>(place) else { bail!("odd headers") };
        let count =
            usize::from(nt.file_header.number_of_sections.get(LE)).checked_add(headers.len());
        let count = u16::try_from(count.context("too many sections")?)?;
        nt.file_header.number_of_sections = U16::new(LE, count);
        nt.file_header.pointer_to_symbol_table = U32::new(LE, 0);
        nt.file_header.number_of_symbols = U32::new(LE, 0);
        let optional = &mut nt.optional_header;
        let data = optional.size_of_initialized_data.get(LE).checked_add(added);
        optional.size_of_initialized_data = U32::new(LE, data.context("the file is too big")?);
        optional.size_of_image = U32::new(LE, size_of_image);
        // No UEFI firmware looks at it, and zero means that there is none.
        optional.check_sum = U32::new(LE, 0);
        Ok(())
    }
}

fn header(
    name: &str,
    address: u32,
    length: u32,
    start: u32,
    raw: u32,
) -> Result<ImageSectionHeader> {
    let mut field = [0; IMAGE_SIZEOF_SHORT_NAME];
    field
        .get_mut(..name.len())
        .with_context(|| format!("{name} is longer than a section's name may be"))?
        .copy_from_slice(name.as_bytes());
    Ok(ImageSectionHeader {
        name: field,
        virtual_size: U32::new(LE, length),
        virtual_address: U32::new(LE, address),
        size_of_raw_data: U32::new(LE, raw),
        pointer_to_raw_data: U32::new(LE, start),
        pointer_to_relocations: U32::default(),
        pointer_to_linenumbers: U32::default(),
        number_of_relocations: U16::default(),
        number_of_linenumbers: U16::default(),
        characteristics: U32::new(LE, IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ),
    })
}

fn align(value: u32, alignment: u32) -> Result<u32> {
    value.checked_next_multiple_of(alignment).context("the image is too big")
}

/// Fails unless each section is there once, whole, and over no other.
fn verify(file: &[u8], wanted: &[Section<'_>]) -> Result<()> {
    let pe = PeFile64::parse(file).map_err(|error| anyhow!("the result is no PE file: {error}"))?;
    let table = pe.section_table();
    for section in wanted {
        let mut found = table.iter().filter(|header| header.raw_name() == section.name.as_bytes());
        let (Some(header), None) = (found.next(), found.next()) else {
            bail!("section {} is not there once", section.name);
        };
        let data = header.pe_data(file).map_err(|error| anyhow!("{}: {error}", section.name))?;
        let same = data.get(..section.content.len()) == Some(section.content);
        ensure!(same, "section {} is not what was put in", section.name);
    }
    let mut ranges: Vec<(u64, u64)> = table
        .iter()
        .map(|header| (header.virtual_address.get(LE).into(), header.virtual_size.get(LE).into()))
        .collect();
    ranges.sort_unstable();
    for pair in ranges.windows(2) {
        if let [(start, length), (next, _)] = pair {
            ensure!(start + length <= *next, "sections overlap at {next:#x}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
