//! What a disk is known by, wherever it is plugged in and whatever it is called.

use alloc::format;
use alloc::string::String;
use core::fmt;

use imagezip_core::partition::DiskId;
use imagezip_core::swapinfo::{Part, decode};

/// What is known of the disk that is meant. All that is given must be true of one disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// Its serial number.
    pub serial: Option<String>,
    /// Its world-wide name, in one of the forms that [`same_wwn`] knows.
    pub wwn: Option<String>,
    /// The name that its partition table gives it.
    pub guid: Option<DiskId>,
}

impl Hints {
    /// Those of a `.part` file.
    pub fn of(part: &Part) -> Self {
        Self { serial: part.serial.clone(), wwn: part.wwn.clone(), guid: part.disk_guid }
    }

    /// Takes over a word of the kernel command line: `mfs.serial=`, `mfs.wwn=` or
    /// `mfs.diskguid=`, whose `value` is encoded as in a `.part` file. Whether it is one of these.
    ///
    /// # Errors
    /// What the value must be.
    pub fn take(&mut self, word: &str, value: &str) -> Result<bool, &'static str> {
        let text =
            || decode(value.as_bytes()).ok_or("must be text with %-encoded special characters");
        match word {
            "mfs.serial" => self.serial = Some(text()?),
            "mfs.wwn" => self.wwn = Some(text()?),
            "mfs.diskguid" => {
                let id = DiskId::parse(&text()?);
                self.guid = Some(id.ok_or("must be a GUID or 8 hexadecimal digits, not all 0")?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// These, and for each that isn't given the one of `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            serial: self.serial.or(others.serial),
            wwn: self.wwn.or(others.wwn),
            guid: self.guid.or(others.guid),
        }
    }

    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.serial.is_none() && self.wwn.is_none() && self.guid.is_none()
    }

    /// Whether one is given that belongs to the disk itself, not to what is written on it.
    pub(super) fn name_hardware(&self) -> bool {
        self.serial.is_some() || self.wwn.is_some()
    }
}

impl fmt::Display for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            self.serial.as_ref().map(|serial| format!("SERIAL={serial}")),
            self.wwn.as_ref().map(|wwn| format!("WWN={wwn}")),
            self.guid.map(|guid| format!("DISKGUID={guid}")),
        ];
        for (index, word) in words.into_iter().flatten().enumerate() {
            write!(f, "{}{word}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// Whether two serial numbers are the same but for the blanks that pad them.
pub fn same_serial(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    !one.is_empty() && one == other
}

/// Whether two world-wide names are the same. Each may be as Linux writes it in `wwid`, with
/// `naa.`, `eui.` or `uuid.` at its start (the designator types of SPC-4, 7.8.5, and of `NVMe`), may
/// have `0x` there as udev writes it, or neither. Small and capital letters are the same, and so
/// are one and several blanks in a row.
pub fn same_wwn(one: &str, other: &str) -> bool {
    let (one, other) = (folded(one), folded(other));
    let ((kind, name), (other_kind, other_name)) = (split(&one), split(&other));
    let same_kind = kind.is_none() || other_kind.is_none() || kind == other_kind;
    !name.is_empty() && name == other_name && same_kind
}

fn folded(text: &str) -> String {
    let mut folded = String::new();
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded.make_ascii_lowercase();
    folded
}

/// The type, if one stands at the start, and the name after it.
fn split(text: &str) -> (Option<&'static str>, &str) {
    let of = |kind: &'static str| text.strip_prefix(kind).map(|name| (Some(kind), name));
    let typed = ["naa.", "eui.", "uuid."].into_iter().find_map(of);
    typed.unwrap_or_else(|| (None, text.strip_prefix("0x").unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn world_wide_names_in_their_forms() {
        for (one, other) in [
            ("naa.5000c500a1b2c3d4", "0x5000C500A1B2C3D4"),
            ("naa.5000c500a1b2c3d4", "5000c500a1b2c3d4"),
            ("NAA.5000C500A1B2C3D4 ", "naa.5000c500a1b2c3d4"),
            ("eui.0025385971b07a2c", "0025385971b07a2c"),
            ("uuid.6e2a9f1c-0000-4000-8000-000000000001", "6E2A9F1C-0000-4000-8000-000000000001"),
            ("t10.ATA     QEMU HARDDISK      QM00001 ", "t10.ATA QEMU HARDDISK QM00001"),
        ] {
            assert!(same_wwn(one, other) && same_wwn(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("naa.5000c500a1b2c3d4", "naa.5000c500a1b2c3d5"),
            // Volumes of one RAID controller begin alike.
            ("naa.600508b1001c0000", "naa.600508b1001c00001111111111111111"),
            ("naa.5000c500a1b2c3d4", "eui.5000c500a1b2c3d4"),
            ("t10.ATA QEMU", "ATA QEMU"),
            ("", ""),
            ("naa.", "naa."),
            ("0x", " "),
        ] {
            assert!(!same_wwn(one, other), "{one} {other}");
        }
    }

    #[test]
    fn blanks_pad_serial_numbers() {
        assert!(same_serial("  WD 123", "WD 123   "));
        for (one, other) in
            [("WD 123", "WD  123"), ("wd", "WD"), ("WD", "WD1"), ("", ""), (" ", "")]
        {
            assert!(!same_serial(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn words_of_the_command_line_win() {
        let mut hints = Hints::default();
        assert_eq!(hints.take("mfs.serial", "WD%20123"), Ok(true));
        assert_eq!(hints.take("mfs.job", "idle"), Ok(false));
        assert!(hints.take("mfs.wwn", "%").is_err());
        assert!(hints.take("mfs.diskguid", "00000000").unwrap_err().contains("8 hexadecimal"));
        let part = "DISK=da0 LOADPART=0 BOOTPART=1 SERIAL=X WWN=naa.5 DISKGUID=deadbee1";
        let part = Hints::of(&Part::parse(part.as_bytes()).unwrap());
        let both = hints.clone().or(part);
        assert_eq!(both.to_string(), "SERIAL=WD 123 WWN=naa.5 DISKGUID=0xdeadbee1");
        assert_eq!(hints.take("mfs.diskguid", "0xDEADBEE1"), Ok(true));
        assert_eq!(hints.guid, both.guid);
        assert!(!both.is_empty() && Hints::default().is_empty());
    }

    proptest! {
        #[test]
        fn a_name_is_the_same_in_all_its_forms(name in "[0-9a-f]{1,32}") {
            let forms = ["naa.", "NAA.", "0x", ""].map(|kind| kind.to_string() + &name);
            for one in &forms {
                let padded = one.to_uppercase() + "  ";
                prop_assert!(forms.iter().all(|other| same_wwn(&padded.replace("0X", "0x"), other)));
                prop_assert!(forms.iter().all(|other| !same_wwn(one, &(other.clone() + "0"))));
            }
        }

        #[test]
        fn any_texts_are_compared(one in "\\PC{0,40}", other in "\\PC{0,40}") {
            prop_assert_eq!(same_wwn(&one, &other), same_wwn(&other, &one));
            if !folded(&one).is_empty() && !split(&folded(&one)).1.is_empty() {
                prop_assert!(same_wwn(&one, &one));
            }
        }
    }
}
