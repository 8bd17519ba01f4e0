//! Which of the disks is meant, if one is (docs/decisions/0010).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use imagezip_core::partition::DiskId;

use super::identity::{Hints, same_serial, same_wwn};
use super::{Disk, Kind};
use crate::failure::{Failure, FailureKind, Result};

/// How many disks a message lists; the log has them all.
const LISTED: usize = 12;

/// A disk and the name in its partition table, which is read only if somebody asks for it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) disk: Disk,
    pub(super) guid: Guid,
}

/// What is known of a partition table's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Guid {
    /// Nobody asked.
    NotAsked,
    /// It has this one, or none.
    Read(Option<DiskId>),
    /// Why it can't be told.
    Unreadable(String),
}

impl Seen {
    /// Whether it has everything that is asked for.
    fn is_meant(&self, hints: &Hints) -> bool {
        let has = |own: Option<&String>, wanted: &str, same: fn(&str, &str) -> bool| {
            own.is_some_and(|own| same(own, wanted))
        };
        hints.serial.as_ref().is_none_or(|it| has(self.disk.serial.as_ref(), it, same_serial))
            && hints.wwn.as_ref().is_none_or(|it| has(self.disk.wwn.as_ref(), it, same_wwn))
            && hints.guid.is_none_or(|it| self.guid == Guid::Read(Some(it)))
    }

    fn description(&self) -> String {
        match &self.guid {
            Guid::NotAsked => self.disk.to_string(),
            Guid::Read(None) => format!("{} without a partition table", self.disk),
            Guid::Read(Some(guid)) => format!("{} with DISKGUID {guid}", self.disk),
            Guid::Unreadable(why) => format!("{}, partition table: {why}", self.disk),
        }
    }
}

/// The one disk that has what `hints` say.
///
/// # Errors
/// `DiskAbsent`, `DiskAmbiguous` or `DiskRefused`, with a list of the disks.
pub(super) fn by_identity<'a>(seen: &'a [Seen], hints: &Hints) -> Result<&'a Disk> {
    let meant: Vec<_> = seen.iter().filter(|seen| seen.is_meant(hints)).collect();
    let (open, refused): (Vec<_>, Vec<_>) =
        meant.into_iter().partition(|seen| objection(&seen.disk, hints).is_none());
    match (open.as_slice(), refused.as_slice()) {
        ([one], _) => Ok(&one.disk),
        ([], [one, ..]) => Err(refusal(&one.disk, hints)),
        ([], []) => Err(FailureKind::DiskAbsent.because(format_args!(
            "no disk has {hints}; {}; no other one is used in its place",
            there_are(seen)
        ))),
        (several, _) => Err(FailureKind::DiskAmbiguous.because(format_args!(
            "{} disks have {hints}: {}; none of them is used, as only one can be meant; unplug \
             the others or say more",
            several.len(),
            listing(several.iter().map(|seen| seen.description())),
        ))),
    }
}

/// The disk with the Linux name `name`; `asked` is what `DISK=` says.
///
/// # Errors
/// `DiskAbsent` or `DiskRefused`, with a list of the disks.
pub(super) fn by_name<'a>(seen: &'a [Seen], name: Option<&str>, asked: &str) -> Result<&'a Disk> {
    match seen.iter().find(|seen| Some(seen.disk.name.as_str()) == name) {
        Some(Seen { disk, .. }) if objection(disk, &Hints::default()).is_none() => Ok(disk),
        Some(Seen { disk, .. }) => Err(refusal(disk, &Hints::default())),
        None => Err(FailureKind::DiskAbsent.because(format_args!(
            "there is no disk {asked}; {}; no other one is used in its place",
            there_are(seen)
        ))),
    }
}

/// What speaks against using a disk that is meant by `hints`, or by its name alone.
fn objection(disk: &Disk, hints: &Hints) -> Option<&'static str> {
    match disk.kind {
        Kind::Fixed => None,
        Kind::Usb if hints.name_hardware() => None,
        Kind::Usb => {
            Some("is attached by USB, where only SERIAL= or WWN= can tell that it is meant")
        }
        Kind::Removable => Some("is removable, so it is not a node's own disk"),
        Kind::NoDisk => Some("is not a disk, but made of something else"),
    }
}

fn refusal(disk: &Disk, hints: &Hints) -> Failure {
    let objection = objection(disk, hints).unwrap_or_default();
    FailureKind::DiskRefused.because(format_args!("disk {disk} {objection}; it is not used"))
}

fn there_are(seen: &[Seen]) -> String {
    let disks = seen.iter().filter(|seen| seen.disk.kind != Kind::NoDisk);
    format!("the disks are: {}", listing(disks.map(Seen::description)))
}

fn listing(disks: impl Iterator<Item = String>) -> String {
    let disks: Vec<_> = disks.collect();
    if disks.is_empty() {
        return "none".into();
    }
    let text = disks.get(..LISTED).unwrap_or(&disks).join(", ");
    match disks.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!("{text} and {more} more"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Number;
    use imagezip_core::partition;
    use std::vec;

    fn seen(name: &str, serial: &str, wwn: &str, guid: u32, kind: Kind) -> Seen {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_string());
        Seen {
            disk: Disk {
                name: name.into(),
                size: 1 << 30,
                sector_size: 512,
                serial: text(serial),
                wwn: text(wwn),
                kind,
                number: Number { major: 8, minor: 0 },
                sequence: None,
            },
            guid: Guid::Read((guid > 0).then_some(DiskId::Mbr(guid))),
        }
    }

    fn hints(serial: &str, wwn: &str, guid: u32) -> Hints {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_string());
        let guid = (guid > 0).then_some(DiskId::Mbr(guid));
        Hints { serial: text(serial), wwn: text(wwn), guid }
    }

    fn chosen(
        disks: &[Seen],
        hints: &Hints,
    ) -> core::result::Result<String, (FailureKind, String)> {
        let chosen = by_identity(disks, hints).map(|disk| disk.name.clone());
        chosen.map_err(|failure| (failure.kind, failure.message))
    }

    #[test]
    fn order_and_name_are_of_no_account() {
        let one = |name: &str| seen(name, "S1", "naa.1", 1, Kind::Fixed);
        let other = |name: &str| seen(name, "S2", "naa.2", 2, Kind::Fixed);
        for disks in [vec![one("sda"), other("sdb")], vec![other("sda"), one("sdb")]] {
            let meant =
                disks.iter().find(|seen| seen.disk.serial.as_deref() == Some("S1")).unwrap();
            for hints in [
                hints("S1", "", 0),
                hints("", "0x1", 0),
                hints("", "", 1),
                hints("S1", "naa.1", 0),
                hints("S1", "1", 1),
            ] {
                assert_eq!(chosen(&disks, &hints), Ok(meant.disk.name.clone()), "{hints}");
            }
            // Each is known, but not of the same disk.
            for hints in [hints("S1", "2", 0), hints("S1", "", 2), hints("", "1", 2)] {
                let (kind, message) = chosen(&disks, &hints).unwrap_err();
                assert_eq!(kind, FailureKind::DiskAbsent);
                assert!(message.contains("no disk has ") && message.contains("S2"), "{message}");
            }
        }
    }

    #[test]
    fn a_clone_is_not_taken_for_the_disk() {
        let mut disks =
            vec![seen("sda", "S1", "", 1, Kind::Fixed), seen("sdb", "S2", "", 1, Kind::Fixed)];
        let (kind, message) = chosen(&disks, &hints("", "", 1)).unwrap_err();
        assert_eq!(kind, FailureKind::DiskAmbiguous);
        assert!(message.starts_with("2 disks have DISKGUID=0x00000001: sda ("), "{message}");
        assert!(message.contains("serial S1") && message.contains("serial S2"), "{message}");
        assert_eq!(chosen(&disks, &hints("S2", "", 1)), Ok("sdb".into()));
        // A stick is never used, so it doesn't stand in the way either.
        disks[0].disk.kind = Kind::Removable;
        assert_eq!(chosen(&disks, &hints("", "", 1)), Ok("sdb".into()));
        disks[0].disk.kind = Kind::Usb;
        assert_eq!(chosen(&disks, &hints("", "", 1)), Ok("sdb".into()));
        // Two that say the same serial number are two, whatever one of them is.
        disks[1].disk.serial = Some("S1".into());
        assert_eq!(chosen(&disks, &hints("S1", "", 0)).unwrap_err().0, FailureKind::DiskAmbiguous);
    }

    #[test]
    fn what_is_no_disk_of_a_node_is_refused() {
        let usb = [seen("sda", "S1", "naa.1", 1, Kind::Usb)];
        let (kind, message) = chosen(&usb, &hints("", "", 1)).unwrap_err();
        assert_eq!(kind, FailureKind::DiskRefused);
        assert!(message.contains("attached by USB, where only SERIAL="), "{message}");
        assert_eq!(chosen(&usb, &hints("S1", "", 0)), Ok("sda".into()));
        assert_eq!(chosen(&usb, &hints("", "1", 1)), Ok("sda".into()));
        assert_eq!(by_name(&usb, Some("sda"), "da0").unwrap_err().kind, FailureKind::DiskRefused);
        for (kind, words) in [(Kind::Removable, "is removable"), (Kind::NoDisk, "is not a disk")] {
            let disks = [seen("sda", "S1", "naa.1", 1, kind)];
            let (kind, message) = chosen(&disks, &hints("S1", "", 0)).unwrap_err();
            assert_eq!(kind, FailureKind::DiskRefused);
            assert!(message.contains(words) && message.contains("serial S1"), "{message}");
            let by_name = by_name(&disks, Some("sda"), "da0").unwrap_err();
            assert_eq!(by_name.kind, FailureKind::DiskRefused);
        }
    }

    #[test]
    fn nothing_that_is_unknown_matches() {
        let mut disk = seen("vda", "", "", 0, Kind::Fixed);
        for hints in [hints("S1", "", 0), hints("", "naa.1", 0), hints("", "", 1)] {
            assert_eq!(chosen(&[disk.clone()], &hints).unwrap_err().0, FailureKind::DiskAbsent);
        }
        let empty = Hints { serial: Some(" ".into()), ..Hints::default() };
        assert_eq!(chosen(&[disk.clone()], &empty).unwrap_err().0, FailureKind::DiskAbsent);
        disk.guid = Guid::Unreadable("input/output error".into());
        let (_, message) = chosen(&[disk], &hints("", "", 1)).unwrap_err();
        assert!(message.contains("no WWN), partition table: input/output"), "{message}");
    }

    #[test]
    fn a_list_has_an_end() {
        let disks: Vec<_> =
            (0..14).map(|index| seen(&format!("sd{index}"), "S", "", 1, Kind::Fixed)).collect();
        let (_, message) = chosen(&disks, &hints("T", "", 0)).unwrap_err();
        assert!(message.contains("sd11 (") && message.contains(" and 2 more;"), "{message}");
        assert!(!message.contains("sd12 ("), "{message}");
        let none = chosen(&[], &hints("T", "", 0)).unwrap_err().1;
        assert!(none.contains("the disks are: none;"), "{none}");
        let table = Guid::Read(Some(DiskId::Gpt(partition::Guid::LINUX)));
        let disk = Seen { guid: table, ..disks[0].clone() };
        assert!(disk.description().contains("with DISKGUID 0FC63DAF-8483-"));
    }
}
