//! One kernel module: its object file and what its `.modinfo` section says.

use crate::command;
use anyhow::{Context, Result};
use object::{Object, ObjectSection};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A module's `.modinfo`: `key=value` strings, each ended by a NUL.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ModInfo {
    /// Modules whose symbols this one uses.
    pub depends: Vec<String>,
    /// Modules or aliases that are to be loaded first if they exist.
    pub soft_before: Vec<String>,
    /// Modules or aliases that are to be loaded after this one if they exist.
    pub soft_after: Vec<String>,
    /// Other names this module answers to, and patterns of its devices, as they stand there.
    pub aliases: Vec<String>,
    /// The parameters it knows.
    pub parameters: Vec<String>,
    /// Files that it may ask the kernel for, below `/lib/firmware`.
    pub firmware: Vec<String>,
}

impl ModInfo {
    /// Reads the section of a module's object file.
    pub fn of_object(object: &[u8]) -> Result<Self> {
        let file = object::File::parse(object).context("not an object file")?;
        let section = file.section_by_name(".modinfo").context("no .modinfo section")?;
        Ok(Self::parse(section.data().context("the .modinfo section lies outside the file")?))
    }

    fn parse(section: &[u8]) -> Self {
        let mut info = Self::default();
        for record in section.split(|byte| *byte == 0) {
            let Ok(record) = std::str::from_utf8(record) else { continue };
            let Some((key, value)) = record.split_once('=') else { continue };
            match key {
                "depends" => info
                    .depends
                    .extend(value.split(',').filter(|name| !name.is_empty()).map(normal_name)),
                "softdep" => {
                    info.soft_before.extend(soft(value, "pre").map(normal_name));
                    info.soft_after.extend(soft(value, "post").map(normal_name));
                }
                "alias" => info.aliases.push(value.to_owned()),
                "firmware" => info.firmware.push(value.to_owned()),
                "parmtype" => {
                    info.parameters.extend(value.split(':').next().map(str::to_owned));
                }
                _ => {}
            }
        }
        info
    }
}

/// The words of one section of a softdep value, as in `pre: a b post: c`.
fn soft<'a>(value: &'a str, section: &'a str) -> impl Iterator<Item = &'a str> {
    let mut inside = false;
    value.split_whitespace().filter(move |word| {
        if let Some(name) = word.strip_suffix(':') {
            inside = name == section;
            return false;
        }
        inside
    })
}

/// Modules are named with `-` in file names and `_` everywhere else.
pub fn normal_name(name: &str) -> String {
    name.replace('-', "_")
}

/// The module name of an object file's path, if it is one.
pub fn name_of_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    [".ko", ".ko.xz", ".ko.zst"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .map(normal_name)
}

/// Reads an object or firmware file, which newer packages compress. An object's signature is
/// inside, at its end.
pub fn read_unpacked(path: &Path) -> Result<Vec<u8>> {
    let extension = path.extension().and_then(OsStr::to_str);
    if extension == Some("xz") {
        let mut xz = Command::new("xz");
        xz.args(["--decompress", "--stdout"]).arg(path);
        let output = xz.output().with_context(|| format!("cannot run `{}`", command::line(&xz)))?;
        anyhow::ensure!(output.status.success(), "`{}` failed", command::line(&xz));
        return Ok(output.stdout);
    }
    let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if extension == Some("zst") {
        return zstd::stream::decode_all(&content[..])
            .with_context(|| format!("cannot unpack {}", path.display()));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_read() {
        let info = ModInfo::parse(
            b"license=GPL\0depends=virtio_ring,net-failover\0alias=pci:v1-*\0\
              softdep=pre: crc32c crypto-x post: later\0parmtype=heartbeat:int\0\
              parm=heartbeat:seconds\0\0\xff=\0firmware=a/b-1.fw\0name=thing\0",
        );
        assert_eq!(info.depends, ["virtio_ring", "net_failover"]);
        assert_eq!(info.soft_before, ["crc32c", "crypto_x"]);
        assert_eq!(info.soft_after, ["later"]);
        assert_eq!(info.aliases, ["pci:v1-*"]);
        assert_eq!(info.firmware, ["a/b-1.fw"]);
        assert_eq!(info.parameters, ["heartbeat"]);
        assert_eq!(ModInfo::parse(b"depends=\0"), ModInfo::default());
    }

    #[test]
    fn only_object_files_are_modules() {
        assert_eq!(name_of_file(Path::new("a/virtio-x.ko")), Some("virtio_x".into()));
        assert_eq!(name_of_file(Path::new("a/nfs.ko.xz")), Some("nfs".into()));
        assert_eq!(name_of_file(Path::new("a/modules.order")), None);
        assert!(ModInfo::of_object(b"\x7fELF but no more").is_err());
    }
}
