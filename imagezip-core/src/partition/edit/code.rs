//! Numbers for types of partition, as people give them to tools, and what a GPT has for them.

use crate::partition::Guid;

/// A type that a GPT can express.
#[derive(Debug)]
pub(super) struct TypeCode {
    /// The type byte of an MBR with two more digits, as `sgdisk` has them.
    code: u16,
    pub(super) guid: Guid,
    /// What tools call such a partition.
    pub(super) name: &'static str,
}

const fn code(code: u16, guid: &str, name: &'static str) -> TypeCode {
    TypeCode { code, guid: Guid::literal(guid), name }
}

static TYPES: [TypeCode; 16] = [
    TypeCode { code: 0x0000, guid: Guid::ZERO, name: "" },
    code(0x0700, "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7", "Microsoft basic data"),
    code(0x0c01, "E3C9E316-0B5C-4DB8-817D-F92DF00215AE", "Microsoft reserved"),
    code(0x2700, "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC", "Windows RE"),
    code(0x8200, "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", "Linux swap"),
    code(0x8300, "0FC63DAF-8483-4772-8E79-3D69D8477DE4", "Linux filesystem"),
    code(0x8e00, "E6D6D379-F507-44C2-A23C-238F2A3DF928", "Linux LVM"),
    code(0xa500, "516E7CB4-6ECF-11D6-8FF8-00022D09712B", "FreeBSD disklabel"),
    code(0xa501, "83BD6B9D-7F41-11DC-BE0B-001560B84F0F", "FreeBSD boot"),
    code(0xa502, "516E7CB5-6ECF-11D6-8FF8-00022D09712B", "FreeBSD swap"),
    code(0xa503, "516E7CB6-6ECF-11D6-8FF8-00022D09712B", "FreeBSD UFS"),
    code(0xa504, "516E7CBA-6ECF-11D6-8FF8-00022D09712B", "FreeBSD ZFS"),
    code(0xa600, "824CC7A0-36A8-11E3-890A-952519AD3F61", "OpenBSD disklabel"),
    code(0xef00, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EFI system partition"),
    code(0xef02, "21686148-6449-6E6F-744E-656564454649", "BIOS boot partition"),
    code(0xfd00, "A19D880F-05FC-4D3B-A006-743F0F84911E", "Linux RAID"),
];

impl TypeCode {
    /// The type for a type byte, or for a number of four digits.
    pub(super) fn find(number: u32) -> Option<&'static Self> {
        let code = match number {
            // File systems of Windows share one type.
            0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e => 0x0700,
            0x00..=0xff => number << 8,
            _ => number,
        };
        TYPES.iter().find(|known| u32::from(known.code) == code)
    }

    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = u32> {
        TYPES.iter().map(|known| known.code.into())
    }
}
