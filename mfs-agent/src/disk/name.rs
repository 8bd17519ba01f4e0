//! Names of disks: those of BSD, which testbeds keep, and those of Linux.

use alloc::format;
use alloc::string::String;

/// The Linux name of the disk called `name` in a `.part` file, if that disk is there.
///
/// A name that is there as it stands is meant as it stands. All others are a type and a unit:
///
/// | BSD | Linux |
/// |---|---|
/// | `ad0` to `ad3` | `sda` to `sdd` |
/// | `ad4` and up | the same with 4 taken off: SATA disks began there |
/// | `ada` `da` `ar` `amrd` `mfid` `mfisyspd` `aacd` | `sd`, unit 0 is `sda` |
/// | `nvd` `nda` | `nvme`, unit 0 is `nvme0n1` |
/// | `vd` `vtbd` | `vd`, unit 0 is `vda` |
pub fn resolve(name: &str, is_there: impl Fn(&str) -> bool) -> Option<String> {
    if is_there(name) {
        return Some(String::from(name));
    }
    translate(name).filter(|name| is_there(name))
}

fn translate(name: &str) -> Option<String> {
    let digits = name.find(|character: char| character.is_ascii_digit())?;
    let (kind, unit) = name.split_at_checked(digits)?;
    // `+1` would be a number too.
    let unit: u32 = unit.bytes().all(|byte| byte.is_ascii_digit()).then(|| unit.parse().ok())??;
    match kind {
        "ad" => lettered("sd", unit.checked_sub(4).unwrap_or(unit)),
        "ada" | "da" | "ar" | "amrd" | "mfid" | "mfisyspd" | "aacd" => lettered("sd", unit),
        "nvd" | "nda" => Some(format!("nvme{unit}n1")),
        "vd" | "vtbd" => lettered("vd", unit),
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
            ("da0", "sda"),
            ("da7", "sdh"),
            ("ada1", "sdb"),
            ("ar0", "sda"),
            ("amrd0", "sda"),
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
        assert_eq!(resolve("nvme0n1", |_| true).as_deref(), Some("nvme0n1"));
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
