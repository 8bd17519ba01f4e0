//! `<vname>.part`: which disk and partition of a node are saved.

use alloc::string::String;
use core::fmt;

use super::words::{Encoded, Hex, Word};
use super::{Expected, PART_LIMIT, ParseError};
use crate::partition::DiskId;

/// The longest name of a disk.
const DISK_LIMIT: usize = 32;

/// What a `.part` file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The disk, by the name that it has in BSD or Linux, without `/dev/`.
    pub disk: String,
    /// The partition that is saved, 1 to 4, or 0 for the whole disk.
    pub load_partition: u8,
    /// The partition that the node boots from, 1 to 4.
    pub boot_partition: u8,
    /// The disk's serial number, if the testbed knows it.
    pub serial: Option<String>,
    /// The disk's world-wide name, if the testbed knows it.
    pub wwn: Option<String>,
    /// The name that the disk's partition table gives it, if the testbed knows it.
    pub disk_guid: Option<DiskId>,
    /// The disk's size in bytes, if the testbed knows it.
    pub disk_size: Option<u64>,
    /// The disk's logical sector size in bytes, if the testbed knows it.
    pub sector_size: Option<u32>,
    /// SHA-256 of the base image, if the testbed knows it.
    pub base_sha256: Option<[u8; 32]>,
}

impl Part {
    /// Reads a `.part` file: the line that [`Part`]'s `Display` writes, with or without white space
    /// at its end. Words after `BOOTPART=` may come in any order.
    ///
    /// # Errors
    /// Where anything else stands, and what should.
    pub fn parse(file: &[u8]) -> Result<Self, ParseError> {
        if file.len() > PART_LIMIT {
            return Err(ParseError { at: PART_LIMIT, expected: Expected::AtMost(PART_LIMIT) });
        }
        let line = file.trim_ascii_end();
        let mut cursor = Cursor { line, at: 0 };
        cursor.text("DISK=")?;
        let disk = cursor.disk()?;
        cursor.text(" LOADPART=")?;
        let load_partition = cursor.digit(b'0'..=b'4', "a partition number from 0 to 4")?;
        cursor.text(" BOOTPART=")?;
        let boot_partition = cursor.digit(b'1'..=b'4', "a partition number from 1 to 4")?;
        let mut part = Self {
            disk,
            load_partition,
            boot_partition,
            serial: None,
            wwn: None,
            disk_guid: None,
            disk_size: None,
            sector_size: None,
            base_sha256: None,
        };
        while let Some(word) = cursor.next_word()? {
            part.take(word)?;
        }
        Ok(part)
    }

    /// Takes over a word after `BOOTPART=`.
    fn take(&mut self, word: Word<'_>) -> Result<(), ParseError> {
        fn once<T>(
            slot: &mut Option<T>,
            at: usize,
            key: &'static str,
            value: T,
        ) -> Result<(), ParseError> {
            match slot.replace(value) {
                None => Ok(()),
                Some(_) => Err(ParseError { at, expected: Expected::Once(key) }),
            }
        }
        match word.key {
            b"SERIAL" => once(&mut self.serial, word.at, "SERIAL", word.text("SERIAL")?),
            b"WWN" => once(&mut self.wwn, word.at, "WWN", word.text("WWN")?),
            b"DISKGUID" => {
                let id = DiskId::parse(&word.text("DISKGUID")?).ok_or(ParseError {
                    at: word.value_at(),
                    expected: Expected::Value(
                        "DISKGUID",
                        "a GUID or 8 hexadecimal digits, not all 0,",
                    ),
                })?;
                once(&mut self.disk_guid, word.at, "DISKGUID", id)
            }
            b"DISKSIZE" => once(&mut self.disk_size, word.at, "DISKSIZE", word.number("DISKSIZE")?),
            b"SECTORSIZE" => {
                once(&mut self.sector_size, word.at, "SECTORSIZE", word.number("SECTORSIZE")?)
            }
            b"BASESHA256" => {
                once(&mut self.base_sha256, word.at, "BASESHA256", word.digest("BASESHA256")?)
            }
            b"DISK" => Err(ParseError { at: word.at, expected: Expected::Once("DISK") }),
            b"LOADPART" => Err(ParseError { at: word.at, expected: Expected::Once("LOADPART") }),
            b"BOOTPART" => Err(ParseError { at: word.at, expected: Expected::Once("BOOTPART") }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Part {
    /// The file's one line, with its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { disk, load_partition, boot_partition, .. } = self;
        write!(f, "DISK={disk} LOADPART={load_partition} BOOTPART={boot_partition}")?;
        if let Some(serial) = &self.serial {
            write!(f, " SERIAL={}", Encoded(serial))?;
        }
        if let Some(wwn) = &self.wwn {
            write!(f, " WWN={}", Encoded(wwn))?;
        }
        if let Some(id) = self.disk_guid {
            write!(f, " DISKGUID={id}")?;
        }
        if let Some(size) = self.disk_size {
            write!(f, " DISKSIZE={size}")?;
        }
        if let Some(size) = self.sector_size {
            write!(f, " SECTORSIZE={size}")?;
        }
        if let Some(digest) = &self.base_sha256 {
            write!(f, " BASESHA256={}", Hex(digest))?;
        }
        f.write_str("\n")
    }
}

/// A position in the line.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn error<T>(&self, expected: Expected) -> Result<T, ParseError> {
        Err(ParseError { at: self.at, expected })
    }

    fn text(&mut self, text: &'static str) -> Result<(), ParseError> {
        let same = self.rest().iter().zip(text.as_bytes()).take_while(|(a, b)| a == b).count();
        self.skip(same);
        match text.get(same..) {
            None | Some("") => Ok(()),
            Some(missing) => self.error(Expected::Text(missing)),
        }
    }

    fn disk(&mut self) -> Result<String, ParseError> {
        let expected = Expected::Described("the name of a disk: 1 to 32 letters, digits or _");
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let length = self.rest().iter().take_while(|byte| allowed(byte)).count();
        let name = self.rest().get(..length).and_then(|name| core::str::from_utf8(name).ok());
        match name {
            Some(name) if !name.is_empty() && name.len() <= DISK_LIMIT => {
                self.skip(length);
                Ok(String::from(name))
            }
            _ => self.error(expected),
        }
    }

    fn digit(
        &mut self,
        range: core::ops::RangeInclusive<u8>,
        expected: &'static str,
    ) -> Result<u8, ParseError> {
        match self.rest().first() {
            Some(digit) if range.contains(digit) => {
                self.skip(1);
                Ok(digit.wrapping_sub(b'0'))
            }
            _ => self.error(Expected::Described(expected)),
        }
    }

    /// The word after a space; `None` at the end of the line.
    fn next_word(&mut self) -> Result<Option<Word<'a>>, ParseError> {
        match self.rest() {
            [] => Ok(None),
            [b' ', word @ ..] => {
                self.skip(1);
                let length = word.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
                let word = Word::new(self.at, word.get(..length).unwrap_or_default())?;
                self.skip(length);
                Ok(Some(word))
            }
            _ => self.error(Expected::Described("a space or the end of the line")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Guid;
    use alloc::string::ToString;
    use alloc::vec;
    use proptest::prelude::*;

    fn part() -> Part {
        Part {
            disk: "ad0".into(),
            load_partition: 2,
            boot_partition: 2,
            serial: None,
            wwn: None,
            disk_guid: None,
            disk_size: None,
            sector_size: None,
            base_sha256: None,
        }
    }

    fn error(text: &str) -> (usize, String) {
        let error = Part::parse(text.as_bytes()).unwrap_err();
        (error.at, error.to_string())
    }

    #[test]
    fn the_strict_line_and_white_space_after_it() {
        for end in ["\n", "", "\r\n", " \n", "\n\n", "\t"] {
            let text = "DISK=ad0 LOADPART=2 BOOTPART=2".to_string() + end;
            assert_eq!(Part::parse(text.as_bytes()), Ok(part()), "{text:?}");
        }
        assert_eq!(part().to_string(), "DISK=ad0 LOADPART=2 BOOTPART=2\n");
    }

    #[test]
    fn everything_else_is_refused_with_its_place() {
        let expectations = [
            ("", 0, "\"DISK=\""),
            ("\n", 0, "\"DISK=\""),
            (" DISK=ad0 LOADPART=2 BOOTPART=2", 0, "\"DISK=\""),
            ("DISK= LOADPART=2 BOOTPART=2", 5, "the name of a disk"),
            ("DISK=/dev/ad0 LOADPART=2 BOOTPART=2", 5, "the name of a disk"),
            ("DISK=ad-0 LOADPART=2 BOOTPART=2", 7, "\" LOADPART=\""),
            ("DISK=ad0  LOADPART=2 BOOTPART=2", 9, "\"LOADPART=\""),
            ("DISK=ad0\nLOADPART=2 BOOTPART=2", 8, "\" LOADPART=\""),
            ("DISK=ad0 LOADPART=5 BOOTPART=2", 18, "from 0 to 4"),
            ("DISK=ad0 LOADPART= BOOTPART=2", 18, "from 0 to 4"),
            ("DISK=ad0 LOADPART=2 BOOTPART=0", 29, "from 1 to 4"),
            ("DISK=ad0 LOADPART=2 BOOTPART=12", 30, "a space or the end"),
            ("DISK=ad0 LOADPART=2", 19, "\" BOOTPART=\""),
            ("DISK=ad0 LOADPART=2 BOOTPART=2  A=1", 31, "KEY=value"),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 junk", 31, "KEY=value"),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 a=b", 31, "KEY=value"),
            ("DISK=ad0 LOADPART=2 BOOTPART=2\nA=1", 30, "a space or the end"),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 DISK=ad1", 31, "only one word DISK="),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 DISKSIZE=1k", 40, "decimal number"),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 SERIAL=%zz", 38, "%-encoded"),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 WWN=a WWN=a", 37, "only one word WWN="),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 DISKGUID=", 40, "a GUID or 8 hexadecimal"),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 DISKGUID=0", 40, "as value of DISKGUID="),
            ("DISK=ad0 LOADPART=2 BOOTPART=2 DISKGUID=00000000", 40, "not all 0"),
        ];
        for (text, at, words) in expectations {
            let (place, message) = error(text);
            assert_eq!(place, at, "{text:?}: {message}");
            assert!(message.contains(words), "{text:?}: {message}");
        }
    }

    #[test]
    fn a_partition_table_is_named_as_tools_show_it() {
        let id = |text: &str| {
            let line = "DISK=ad0 LOADPART=0 BOOTPART=1 DISKGUID=".to_string() + text;
            Part::parse(line.as_bytes()).unwrap().disk_guid
        };
        let guid = Some(DiskId::Gpt(Guid::LINUX));
        assert_eq!(id("0FC63DAF-8483-4772-8E79-3D69D8477DE4"), guid);
        assert_eq!(id("0fc63daf-8483-4772-8e79-3d69d8477de4"), guid);
        for text in ["0xdeadbee1", "deadbee1", "DEADBEE1"] {
            assert_eq!(id(text), Some(DiskId::Mbr(0xdead_bee1)), "{text}");
        }
    }

    #[test]
    fn length_has_a_limit() {
        let mut text = b"DISK=ad0 LOADPART=2 BOOTPART=2 X=".to_vec();
        text.resize(PART_LIMIT, b'x');
        assert_eq!(Part::parse(&text), Ok(part()));
        text.push(b'\n');
        assert_eq!(Part::parse(&text).unwrap_err().expected, Expected::AtMost(PART_LIMIT));
        assert!(Part::parse(&vec![b' '; 4096]).is_err());
    }

    #[test]
    fn words_after_the_old_ones() {
        let text = "DISK=nvme0n1 LOADPART=0 BOOTPART=1 OTHERPARTS=1,2 SECTORSIZE=4096 SERIAL=a%20b";
        let part = Part::parse(text.as_bytes()).unwrap();
        assert_eq!(part.disk, "nvme0n1");
        assert_eq!(part.serial.as_deref(), Some("a b"));
        assert_eq!(part.sector_size, Some(4096));
        assert_eq!(part.disk_size, None);
    }

    prop_compose! {
        fn parts()(
            disk in "[A-Za-z0-9_]{1,32}",
            load_partition in 0..=4_u8,
            boot_partition in 1..=4_u8,
            serial in prop::option::of("\\PC{0,40}"),
            wwn in prop::option::of("[a-z0-9.]{0,40}"),
            disk_guid in disk_ids(),
            disk_size in any::<Option<u64>>(),
            sector_size in any::<Option<u32>>(),
            base_sha256 in any::<Option<[u8; 32]>>(),
        ) -> Part {
            Part {
                disk, load_partition, boot_partition, serial, wwn, disk_guid, disk_size, sector_size,
                base_sha256,
            }
        }
    }

    fn disk_ids() -> impl Strategy<Value = Option<DiskId>> {
        prop_oneof![
            Just(None),
            (1..=u32::MAX).prop_map(|id| Some(DiskId::Mbr(id))),
            any::<[u8; 16]>()
                .prop_filter("not all 0", |bytes| *bytes != [0; 16])
                .prop_map(|bytes| Some(DiskId::Gpt(Guid(bytes)))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(part in parts()) {
            prop_assert_eq!(Part::parse(part.to_string().as_bytes()), Ok(part));
        }

        #[test]
        fn damage_is_refused_or_read_but_never_worse(
            part in parts(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut text = part.to_string().into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            if let Err(error) = Part::parse(&text) {
                prop_assert!(error.at <= text.len());
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            let _ = Part::parse(&bytes);
        }
    }
}
