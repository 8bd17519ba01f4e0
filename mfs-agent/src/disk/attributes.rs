//! What `/sys/block` says of disks.
//!
//! Where serial numbers and world-wide names stand depends on the driver (kernel,
//! Documentation/ABI):
//!
//! | Disks | Serial number | World-wide name |
//! |---|---|---|
//! | virtio | `serial` | |
//! | NVMe | `device/serial`, of the controller | `wwid` |
//! | SCSI, SAS, SATA, RAID controllers | `device/vpd_pg80`, newer kernels also `device/serial` | `device/wwid` |
//! | USB | most often only `serial` of the USB device, four levels above the SCSI one | `device/wwid` |

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rustix::fs::{CWD, readlinkat};
use rustix::io::Errno;

use super::{Disk, Kind, Sources};
use crate::file;

/// A disk's number: major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// The driver's.
    pub major: u32,
    /// The disk's.
    pub minor: u32,
}

impl Number {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once(':')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl core::fmt::Display for Number {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// All block devices that have a medium and that programs may open, by name.
pub(super) fn list(sources: &Sources<'_>) -> Vec<Disk> {
    let names = file::list(sources.block).unwrap_or_default();
    names.iter().filter_map(|name| read(sources, name).ok()).collect()
}

/// What there is to know of one.
///
/// # Errors
/// `NODEV` if it is no disk that could be opened; that of an attribute that every disk has.
pub(super) fn read(sources: &Sources<'_>, name: &str) -> Result<Disk, Errno> {
    let attributes = Attributes { directory: format!("{}/{name}", sources.block) };
    // In units of 512 bytes, whatever the disk's sectors are.
    let size = attributes.number("size")?.saturating_mul(512);
    // A drive without a medium has size 0. A path of NVMe multipath is hidden: it can't be opened.
    if size == 0 || attributes.number("hidden") == Ok(1) {
        return Err(Errno::NODEV);
    }
    let sector_size = attributes.number("queue/logical_block_size")?;
    let number = Number::parse(&attributes.text("dev").ok_or(Errno::NODEV)?).ok_or(Errno::NODEV)?;
    Ok(Disk {
        name: name.to_string(),
        size,
        sector_size: u32::try_from(sector_size).unwrap_or(0),
        serial: attributes.serial(),
        wwn: attributes.text("wwid").or_else(|| attributes.text("device/wwid")),
        kind: attributes.kind(name),
        number,
        sequence: attributes.number("diskseq").ok(),
    })
}

/// The attributes of a block device.
pub(crate) struct Attributes {
    directory: String,
}

impl Attributes {
    /// Those of the disk.
    pub(crate) fn of(sources: &Sources<'_>, disk: &Disk) -> Self {
        Self { directory: format!("{}/{}", sources.block, disk.name) }
    }

    /// A number.
    pub(crate) fn number(&self, path: &str) -> Result<u64, Errno> {
        file::read_number(format!("{}/{path}", self.directory))
    }

    /// A text without blanks at its ends; `None` if there is none.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let text = file::read_text(format!("{}/{path}", self.directory)).ok()?;
        Some(text.trim().to_string()).filter(|text| !text.is_empty())
    }

    fn serial(&self) -> Option<String> {
        let page = || {
            let page = file::open(format!("{}/device/vpd_pg80", self.directory)).ok()?;
            serial_of_page(&file::read_all(page, file::SMALL).ok()?)
        };
        let usb = || self.is_usb().then(|| self.text("device/../../../../serial")).flatten();
        let serial = self.text("serial").or_else(|| self.text("device/serial"));
        serial.or_else(page).or_else(usb)
    }

    fn kind(&self, name: &str) -> Kind {
        let made_up = ["loop", "ram", "zram", "dm-", "md", "nbd", "sr", "fd"];
        if self.place().contains("/virtual/block/")
            || made_up.iter().any(|kind| name.starts_with(kind))
        {
            Kind::NoDisk
        } else if self.number("removable") == Ok(1) {
            Kind::Removable
        } else if self.is_usb() {
            Kind::Usb
        } else {
            Kind::Fixed
        }
    }

    /// Whether a bus `usb1`, `usb2` … is on the way to the disk.
    fn is_usb(&self) -> bool {
        self.place().split('/').any(|part| {
            let number = part.strip_prefix("usb").unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    /// Where the disk is plugged in, as a path through `/sys/devices`.
    fn place(&self) -> String {
        let link = readlinkat(CWD, &self.directory, Vec::new()).unwrap_or_default();
        link.to_string_lossy().into_owned()
    }
}

/// The serial number in the "unit serial number" page of a SCSI disk's vital product data
/// (SPC-4, 7.8.18): the page's number at 1, the length of the text at 2, and the text at 4.
fn serial_of_page(page: &[u8]) -> Option<String> {
    let [_, 0x80, high, low, text @ ..] = page else { return None };
    let text = text.get(..usize::from(u16::from_be_bytes([*high, *low])))?;
    // Some devices pad it with NUL bytes in place of blanks.
    let padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = text.iter().position(|byte| !padding(byte))?;
    let end = text.iter().rposition(|byte| !padding(byte))?;
    let text = text.get(start..=end)?;
    let good = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
    good.then(|| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(text: &[u8]) -> Vec<u8> {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        [&[0, 0x80][..], &length, text].concat()
    }

    #[test]
    fn serial_numbers_of_scsi_disks() {
        assert_eq!(serial_of_page(&page(b"            QM00001 ")).as_deref(), Some("QM00001"));
        assert_eq!(serial_of_page(&page(b"A B\0\0")).as_deref(), Some("A B"));
        // What follows the length is of no account.
        assert_eq!(serial_of_page(b"\0\x80\0\x02ABC").as_deref(), Some("AB"));
        for bad in [&b""[..], b"\0\x80\0", b"\0\x83\0\x02AB", b"\0\x80\0\x03AB", b"\0\x80\0\0"] {
            assert_eq!(serial_of_page(bad), None, "{bad:?}");
        }
        assert_eq!(serial_of_page(&page(b"    ")), None);
        assert_eq!(serial_of_page(&page(b"A\x07B")), None);
    }

    #[test]
    fn numbers() {
        assert_eq!(Number::parse("259:17"), Some(Number { major: 259, minor: 17 }));
        for bad in ["", "8", ":", "8:", "8:-1", "8:99999999999"] {
            assert_eq!(Number::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_serial_number_comes_back_without_its_padding(
            serial in "[!-~]([ -~]{0,30}[!-~])?", before in 0..9_usize, after in 0..9_usize,
        ) {
            let text = [&b" ".repeat(before)[..], serial.as_bytes(), &b"\0".repeat(after)].concat();
            prop_assert_eq!(serial_of_page(&page(&text)), Some(serial));
        }

        #[test]
        fn any_page_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(serial) = serial_of_page(&bytes) {
                prop_assert!(!serial.is_empty() && serial.trim() == serial);
            }
        }
    }
}
