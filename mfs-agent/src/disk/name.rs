//! Names of disks: those of BSD, which testbeds keep, and those of Linux.

use alloc::format;
use alloc::string::String;

/// The Linux name of the disk called `name` in a `.part` file, if that disk is there.
///
/// A name that is there as it stands is meant as it stands; so are all names of Linux. Others are
/// a driver of FreeBSD and a unit:
///
/// | BSD | Linux | What it is |
/// |---|---|---|
/// | `ad0` to `ad3` | `sda` to `sdd` | ATA |
/// | `ad4` to `ad23` | `sda` to `sdt` | SATA, whose numbers began at 4 |
/// | `ad24` to `ad27` | `sda` to `sdd` | SATA by AHCI behind many old channels |
/// | `ada` `da` | `sd`, unit 0 is `sda` | ATA, SCSI |
/// | `ar` `amrd` `mfid` `mfisyspd` `aacd` | `sd`, unit 0 is `sda` | RAID controllers |
/// | `nvd` `nda` | `nvme`, unit 0 is `nvme0n1` | `NVMe` |
/// | `vd` `vtbd` | `vd`, unit 0 is `vda` | virtio |
/// | `xbd` | `xvd`, unit 0 is `xvda` | Xen |
///
/// None of these numbers is bound to a disk: a node whose disks may change places needs more than
/// a name (docs/decisions/0010).
pub fn resolve(name: &str, is_there: impl Fn(&str) -> bool) -> Option<String> {
    if is_there(name) {
        return Some(String::from(name));
    }
    translate(name).filter(|name| is_there(name))
}

fn translate(name: &str) -> Option<String> {
    let digits = name.find(|character: char| character.is_ascii_digit())?;
    let (driver, unit) = name.split_at_checked(digits)?;
    // `+1` would be a number too.
    let unit: u32 = unit.bytes().all(|byte| byte.is_ascii_digit()).then(|| unit.parse().ok())??;
    match (driver, unit) {
        ("ad", 24..=27) => lettered("sd", unit.saturating_sub(24)),
        ("ad", 4..) => lettered("sd", unit.saturating_sub(4)),
        ("ad" | "ada" | "da" | "ar" | "amrd" | "mfid" | "mfisyspd" | "aacd", _) => {
            lettered("sd", unit)
        }
        ("nvd" | "nda", _) => Some(format!("nvme{unit}n1")),
        ("vd" | "vtbd", _) => lettered("vd", unit),
        ("xbd", _) => lettered("xvd", unit),
        _ => None,
    }
}

/// `sda` to `sdz`.
fn lettered(prefix: &str, unit: u32) -> Option<String> {
    let letter = (b'a'..=b'z').nth(usize::try_from(unit).ok()?)?;
    Some(format!("{prefix}{}", char::from(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bsd() {
        for (bsd, linux) in [
            ("ad0", "sda"),
            ("ad3", "sdd"),
            ("ad4", "sda"),
            ("ad6", "sdc"),
            ("ad7", "sdd"),
            ("ad8", "sde"),
            ("ad24", "sda"),
            ("ad27", "sdd"),
            ("ad28", "sdy"),
            ("da0", "sda"),
            ("da7", "sdh"),
            ("ada1", "sdb"),
            ("ar0", "sda"),
            ("amrd0", "sda"),
            ("mfid1", "sdb"),
            ("mfisyspd0", "sda"),
            ("aacd2", "sdc"),
            ("nvd9", "nvme9n1"),
            ("xbd0", "xvda"),
            ("nvd0", "nvme0n1"),
            ("nda12", "nvme12n1"),
            ("vd0", "vda"),
            ("vtbd1", "vdb"),
        ] {
            assert_eq!(resolve(bsd, |name| name == linux).as_deref(), Some(linux), "{bsd}");
            assert_eq!(resolve(bsd, |_| false), None, "{bsd}");
        }
    }

    #[test]
    fn names_that_are_there_are_meant() {
        assert_eq!(resolve("sdb", |_| true).as_deref(), Some("sdb"));
        for name in ["hda", "nvme0n1", "nvme1n2", "vdb", "xvda", "mmcblk0"] {
            assert_eq!(resolve(name, |_| true).as_deref(), Some(name));
            assert_eq!(resolve(name, |_| false), None);
        }
        assert_eq!(resolve("ad0", |_| true).as_deref(), Some("ad0"));
    }

    #[test]
    fn names_that_mean_nothing() {
        for name in ["", "ad", "0", "da26", "da99999999999", "xyz0", "ad0s1", "sdz"] {
            assert_eq!(
                resolve(name, |name| name.starts_with("sd") && name != "sdz"),
                None,
                "{name}"
            );
        }
    }
}
