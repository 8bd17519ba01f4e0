//! What a partition table says a partition is for.

use core::fmt;

use crate::layout::Layout;

/// What a partition table says a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartitionKind {
    /// The type byte of an MBR.
    Mbr(MbrType),
    /// The type GUID of a GPT.
    Gpt(Guid),
}

/// The type byte of an MBR entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MbrType(pub u8);

/// A GUID, as the 16 bytes on the disk: its first three fields are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl PartitionKind {
    /// What the partition is a part or a shell of, if it holds no file system of its own: another
    /// layer decides what its sectors mean, so none of them can be told to be free.
    pub fn container(self) -> Option<&'static str> {
        match self {
            Self::Mbr(kind) => kind.container(),
            Self::Gpt(kind) => kind.container(),
        }
    }

    /// Whether it is an EFI system partition.
    pub fn is_efi_system(self) -> bool {
        matches!(self, Self::Mbr(MbrType::EFI_SYSTEM) | Self::Gpt(Guid::EFI_SYSTEM))
    }

    /// Whether it holds a part of a boot loader and no file system.
    pub fn is_boot_loader(self) -> bool {
        matches!(self, Self::Gpt(Guid::BIOS_BOOT | Guid::FREEBSD_BOOT))
    }

    /// Whether it is swap space of FreeBSD, which can be told by nothing but this.
    pub fn is_freebsd_swap(self) -> bool {
        self == Self::Gpt(Guid::FREEBSD_SWAP)
    }
}

impl MbrType {
    /// An entry without a type.
    pub const EMPTY: Self = Self(0x00);
    /// Extended partition, addressed by cylinder, head and sector.
    pub const EXTENDED: Self = Self(0x05);
    /// Extended partition, addressed by sector number.
    pub const EXTENDED_LBA: Self = Self(0x0f);
    /// Linux's own extended partition.
    pub const EXTENDED_LINUX: Self = Self(0x85);
    /// NTFS or exFAT.
    pub const NTFS: Self = Self(0x07);
    /// Linux swap, or Solaris.
    pub const LINUX_SWAP: Self = Self(0x82);
    /// A Linux file system.
    pub const LINUX: Self = Self(0x83);
    /// Linux LVM.
    pub const LINUX_LVM: Self = Self(0x8e);
    /// A FreeBSD slice.
    pub const FREEBSD: Self = Self(0xa5);
    /// An OpenBSD slice.
    pub const OPENBSD: Self = Self(0xa6);
    /// Solaris, as the container of its own table.
    pub const SOLARIS: Self = Self(0xbf);
    /// Linux LUKS.
    pub const LINUX_LUKS: Self = Self(0xe8);
    /// The EFI system partition.
    pub const EFI_SYSTEM: Self = Self(0xef);
    /// Stands for a GPT, which a "protective" MBR guards against tools that know none.
    pub const GPT_PROTECTIVE: Self = Self(0xee);
    /// Linux RAID.
    pub const LINUX_RAID: Self = Self(0xfd);

    /// Whether this is a partition that holds a chain of tables of logical partitions.
    pub fn is_extended(self) -> bool {
        matches!(self, Self::EXTENDED | Self::EXTENDED_LBA | Self::EXTENDED_LINUX)
    }

    /// Whether partitions with NTFS have this type, hidden ones included.
    pub fn is_ntfs(self) -> bool {
        matches!(self.0, 0x07 | 0x17 | 0x27)
    }

    /// Whether partitions with FAT have this type, hidden ones and EFI system partitions included.
    pub fn is_fat(self) -> bool {
        matches!(self.0 & !0x10, 0x01 | 0x04 | 0x06 | 0x0b | 0x0c | 0x0e)
            || self == Self::EFI_SYSTEM
    }

    fn container(self) -> Option<&'static str> {
        match self {
            Self::LINUX_RAID => Some("Linux RAID"),
            Self::LINUX_LVM => Some("LVM"),
            Self::LINUX_LUKS => Some("LUKS"),
            Self::SOLARIS => Some("Solaris"),
            _ => None,
        }
    }
}

impl fmt::Display for MbrType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x}", self.0)
    }
}

impl Guid {
    /// No GUID: an entry that is not in use.
    pub const ZERO: Self = Self([0; 16]);
    /// A Linux file system.
    pub const LINUX: Self = Self::literal("0FC63DAF-8483-4772-8E79-3D69D8477DE4");
    /// Linux swap.
    pub const LINUX_SWAP: Self = Self::literal("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F");
    /// Linux RAID.
    pub const LINUX_RAID: Self = Self::literal("A19D880F-05FC-4D3B-A006-743F0F84911E");
    /// Linux LVM.
    pub const LINUX_LVM: Self = Self::literal("E6D6D379-F507-44C2-A23C-238F2A3DF928");
    /// Linux LUKS.
    pub const LINUX_LUKS: Self = Self::literal("CA7D7CCB-63ED-4C53-861C-1742536059CC");
    /// Linux dm-crypt without a header.
    pub const LINUX_DM_CRYPT: Self = Self::literal("7FFEC5C9-2D00-49B7-8941-3EA10A5586B7");
    /// Solaris `/usr`, and what ZFS on Linux and macOS gives its partitions.
    pub const SOLARIS_USR: Self = Self::literal("6A898CC3-1DD2-11B2-99A6-080020736631");
    /// Solaris root.
    pub const SOLARIS_ROOT: Self = Self::literal("6A85CF4D-1DD2-11B2-99A6-080020736631");
    /// A FreeBSD slice with a disklabel.
    pub const FREEBSD_DISKLABEL: Self = Self::literal("516E7CB4-6ECF-11D6-8FF8-00022D09712B");
    /// FreeBSD UFS.
    pub const FREEBSD_UFS: Self = Self::literal("516E7CB6-6ECF-11D6-8FF8-00022D09712B");
    /// An OpenBSD slice, with a disklabel.
    pub const OPENBSD: Self = Self::literal("824CC7A0-36A8-11E3-890A-952519AD3F61");
    /// FreeBSD ZFS.
    pub const FREEBSD_ZFS: Self = Self::literal("516E7CBA-6ECF-11D6-8FF8-00022D09712B");
    /// What a BIOS loads of a boot loader.
    pub const BIOS_BOOT: Self = Self::literal("21686148-6449-6E6F-744E-656564454649");
    /// What a FreeBSD boot sector loads.
    pub const FREEBSD_BOOT: Self = Self::literal("83BD6B9D-7F41-11DC-BE0B-001560B84F0F");
    /// FreeBSD swap.
    pub const FREEBSD_SWAP: Self = Self::literal("516E7CB5-6ECF-11D6-8FF8-00022D09712B");
    /// The EFI system partition.
    pub const EFI_SYSTEM: Self = Self::literal("C12A7328-F81F-11D2-BA4B-00A0C93EC93B");
    /// Windows logical disk manager data.
    pub const WINDOWS_LDM: Self = Self::literal("AF9B60A0-1431-4F62-BC68-3311714A69AD");

    /// The GUID that `text` spells, for example `0FC63DAF-8483-4772-8E79-3D69D8477DE4`.
    pub const fn parse(text: &str) -> Option<Self> {
        // Where on the disk the bytes lie whose digits stand in the text one after another.
        const PLACES: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        let mut rest = text.as_bytes();
        let mut guid = [0; 16];
        let mut places = PLACES.as_slice();
        while let [place, more @ ..] = places {
            if matches!(places.len(), 12 | 10 | 8 | 6) {
                match rest {
                    [b'-', tail @ ..] => rest = tail,
                    _ => return None,
                }
            }
            let [high, low, tail @ ..] = rest else { return None };
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return None };
            if let Some((_, [byte, ..])) = guid.split_at_mut_checked(*place) {
                *byte = high << 4 | low;
            }
            (rest, places) = (tail, more);
        }
        if rest.is_empty() { Some(Self(guid)) } else { None }
    }

    /// A GUID that is written in this source.
    pub(super) const fn literal(text: &str) -> Self {
        match Self::parse(text) {
            Some(guid) => guid,
            None => Self::ZERO,
        }
    }

    fn container(self) -> Option<&'static str> {
        match self {
            Self::LINUX_RAID => Some("Linux RAID"),
            Self::LINUX_LVM => Some("LVM"),
            Self::LINUX_LUKS => Some("LUKS"),
            Self::LINUX_DM_CRYPT => Some("dm-crypt"),
            Self::SOLARIS_USR | Self::SOLARIS_ROOT | Self::FREEBSD_ZFS => Some("ZFS or Solaris"),
            Self::WINDOWS_LDM => Some("Windows dynamic disk"),
            _ => None,
        }
    }
}

/// The value of a hexadecimal digit.
const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(character.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(character.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(layout) = Layout::<16>::new(&self.0) else { return Ok(()) };
        let (first, second, third) = (layout.u32::<0>(), layout.u16::<4>(), layout.u16::<6>());
        let fourth = u16::from_be_bytes(layout.array::<8, 2>());
        write!(f, "{first:08X}-{second:04X}-{third:04X}-{fourth:04X}-")?;
        layout.array::<10, 6>().iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PartitionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mbr(kind) => kind.fmt(f),
            Self::Gpt(kind) => kind.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_guid_is_stored_mixed_endian() {
        let guid = Guid::LINUX;
        assert_eq!(
            guid.0,
            [
                0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47,
                0x7d, 0xe4
            ]
        );
        assert_eq!(guid.to_string(), "0FC63DAF-8483-4772-8E79-3D69D8477DE4");
        assert_eq!(Guid::parse("0fc63daf-8483-4772-8e79-3d69d8477de4"), Some(guid));
        for wrong in [
            "",
            "0FC63DAF-8483-4772-8E79-3D69D8477DE",
            "0FC63DAF-8483-4772-8E79-3D69D8477DE40",
            "0FC63DAF84838-4772-8E79-3D69D8477DE4",
            "0FC63DAF-8483-4772-8E79-3D69D8477DG4",
        ] {
            assert_eq!(Guid::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_known_guid_is_misspelt() {
        for guid in [
            Guid::LINUX,
            Guid::LINUX_SWAP,
            Guid::LINUX_RAID,
            Guid::LINUX_LVM,
            Guid::LINUX_LUKS,
            Guid::LINUX_DM_CRYPT,
            Guid::SOLARIS_USR,
            Guid::SOLARIS_ROOT,
            Guid::FREEBSD_DISKLABEL,
            Guid::FREEBSD_ZFS,
            Guid::FREEBSD_SWAP,
            Guid::FREEBSD_UFS,
            Guid::OPENBSD,
            Guid::BIOS_BOOT,
            Guid::FREEBSD_BOOT,
            Guid::EFI_SYSTEM,
            Guid::WINDOWS_LDM,
        ] {
            assert_ne!(guid, Guid::ZERO);
        }
    }
}
