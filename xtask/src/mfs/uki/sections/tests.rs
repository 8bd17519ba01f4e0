use super::*;
use object::pe;
use object::write::pe::{NtHeaders, Writer};

/// A program of one section with room for `room` bytes of headers after its own.
fn program(room: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(true, 512, 512, &mut out);
    writer.reserve_dos_header();
    writer.reserve_nt_headers(16);
    writer.reserve_section_headers(1);
    writer.reserve_file(room);
    let text = writer.reserve_text_section(16);
    writer.write_empty_dos_header().unwrap();
    writer.write_nt_headers(NtHeaders {
        machine: IMAGE_FILE_MACHINE_AMD64,
        time_date_stamp: 0,
        characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE,
        major_linker_version: 0,
        minor_linker_version: 0,
        address_of_entry_point: text.virtual_address,
        image_base: 0,
        major_operating_system_version: 0,
        minor_operating_system_version: 0,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: 0,
        minor_subsystem_version: 0,
        subsystem: pe::IMAGE_SUBSYSTEM_EFI_APPLICATION,
        dll_characteristics: 0,
        size_of_stack_reserve: 0,
        size_of_stack_commit: 0,
        size_of_heap_reserve: 0,
        size_of_heap_commit: 0,
    });
    writer.write_section_headers();
    writer.write_section(text.file_offset, &[0xcc; 16]);
    writer.write_file_align();
    let length = usize::try_from(writer.reserved_len()).unwrap();
    out.resize(length, 0);
    out
}

const SMALL: Section<'_> = Section { name: ".cmdline", content: b"quiet" };

#[test]
fn sections_of_any_size_follow_each_other() {
    let stub = program(200);
    for size in [1, 511, 512, 513, 4095, 4096, 4097, 1 << 20] {
        let content = vec![0x5a; size];
        let sections = [Section { name: ".initrd", content: &content }, SMALL];
        let out = append(&stub, &sections).unwrap();
        assert_eq!(out, append(&stub, &sections).unwrap());
        let file = PeFile64::parse(out.as_slice()).unwrap();
        let table = file.section_table();
        assert_eq!(table.len(), 3);
        let [text, initrd, cmdline] =
            [1, 2, 3].map(|i| table.section(object::SectionIndex(i)).unwrap());
        assert_eq!(text.pe_data(out.as_slice()).unwrap(), [0xcc; 16]);
        assert_eq!(initrd.pe_data(out.as_slice()).unwrap(), content);
        assert_eq!(cmdline.pe_data(out.as_slice()).unwrap(), b"quiet");
        let end = initrd.virtual_address.get(LE) + initrd.virtual_size.get(LE);
        assert!(cmdline.virtual_address.get(LE) >= end);
        let size_of_image = file.nt_headers().optional_header.size_of_image.get(LE);
        assert!(size_of_image > cmdline.virtual_address.get(LE));
        assert!(size_of_image.is_multiple_of(512));
    }
}

#[test]
fn what_cannot_be_extended_is_refused() {
    let error = |file: &[u8], sections: &[Section<'_>]| {
        format!("{:#}", append(file, sections).unwrap_err())
    };
    assert!(error(b"no program", &[SMALL]).contains("not a PE file"));
    let stub = program(200);
    assert!(error(&stub, &[SMALL, SMALL]).contains("not there once"));
    assert!(error(&stub, &[Section { name: ".too.long", content: b"x" }]).contains("longer"));
    assert!(error(&stub, &[Section { name: ".x", content: b"" }]).contains("empty"));
    let twenty = [SMALL; 20];
    assert!(error(&stub, &twenty).contains("no room"), "{}", error(&stub, &twenty));
    let mut trailing = stub.clone();
    trailing.push(1);
    assert!(error(&trailing, &[SMALL]).contains("belong to no section"));
    assert!(append(&stub[..stub.len() - 1], &[SMALL]).is_err());
}

#[test]
fn overlaps_are_found() {
    let mut file = append(&program(200), &[SMALL]).unwrap();
    let layout = Layout::of(&file).unwrap();
    // The last header is the one before the free place; its address is 12 bytes in.
    let at = layout.free_header - size_of::<ImageSectionHeader>() + 12;
    let text =
        PeFile64::parse(file.as_slice()).unwrap().section_table().section(object::SectionIndex(1));
    let address = text.unwrap().virtual_address.get(LE);
    file[at..at + 4].copy_from_slice(&address.to_le_bytes());
    assert!(verify(&file, &[SMALL]).unwrap_err().to_string().contains("overlap"));
}
