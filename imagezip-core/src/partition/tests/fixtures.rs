//! Tables that sfdisk made, against what sfdisk says about them (../fixtures/README.md).

use super::*;
use crate::od::parse;

pub(super) const MBR: &str = include_str!("../fixtures/mbr.od");
pub(super) const GPT: &str = include_str!("../fixtures/gpt.od");
const GPT_4096: &str = include_str!("../fixtures/gpt-4096.od");
const MBR_4096: &str = include_str!("../fixtures/mbr-4096.od");

/// The value of a field such as `start=` in a line of `sfdisk --dump`.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    line.split([':', ',']).find_map(|part| part.trim().strip_prefix(name)).unwrap().trim()
}

/// Compares all that the dump tells. Extended partitions are not in our list.
fn agrees(od: &str, dump: &str, size: LogicalSectorSize) -> PartitionTable {
    let disk = parse(od);
    let table = read(&disk, size).unwrap().unwrap();
    let id = dump.lines().find_map(|line| line.strip_prefix("label-id: ")).unwrap();
    assert_eq!(table.disk_id.to_string(), id);
    let mut partitions = table.partitions.iter();
    for line in dump.lines().filter_map(|line| line.strip_prefix("disk.img")) {
        let kind = match (table.disk_id, field(line, "type=")) {
            (_, "5" | "f") => continue,
            (DiskId::Mbr(_), kind) => mbr_type(u8::from_str_radix(kind, 16).unwrap()),
            (DiskId::Gpt(_), kind) => PartitionKind::Gpt(Guid::parse(kind).unwrap()),
        };
        let number = line.split_whitespace().next().unwrap().parse().unwrap();
        let blocks = |name| field(line, name).parse::<u32>().unwrap();
        let factor = if size == B512 { 1 } else { 8 };
        let [start, len] = ["start=", "size="].map(|name| blocks(name) * factor);
        let range = range(start, start + len);
        let partition = partitions.next().unwrap();
        let entry = partition.entry;
        assert_eq!(partition, &Partition { number, range, kind, doubt: None, entry });
    }
    assert_eq!(partitions.next(), None);
    assert!(table.notes.is_empty());
    table
}

#[test]
fn mbr_with_logical_partitions() {
    let table = agrees(MBR, include_str!("../fixtures/mbr.dump"), B512);
    assert_eq!(table.partitions.len(), 5);
    assert_eq!(table.unused.as_slice(), [range(7024, 8192)]);
}

#[test]
fn mbr_of_a_disk_with_sectors_of_4096_bytes() {
    let size = LogicalSectorSize::B4096;
    let table = agrees(MBR_4096, include_str!("../fixtures/mbr-4096.dump"), size);
    assert_eq!(table.partitions.len(), 3);
    assert_eq!(table.unused.as_slice(), [range(14400, 16384)]);
}

#[test]
fn gpt() {
    let table = agrees(GPT, include_str!("../fixtures/gpt.dump"), B512);
    assert_eq!(table.partitions.len(), 3);
    assert_eq!(table.unused.as_slice(), [range(34, 64), range(5120, 8159)]);
}

#[test]
fn gpt_of_a_disk_with_sectors_of_4096_bytes() {
    let size = LogicalSectorSize::B4096;
    let table = agrees(GPT_4096, include_str!("../fixtures/gpt-4096.dump"), size);
    assert_eq!(table.partitions.len(), 2);
    assert_eq!(table.unused.as_slice(), [range(48, 128), range(4000, 8152)]);
    // With the other size there is no header where it should be.
    let error = read(&parse(GPT_4096), B512).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Corrupt(CorruptKind::GptMissing));
}
