//! Firmware that drivers load into their devices. It is not free, so nothing of it is in this
//! project's tree or in Debian's main archive: whoever builds an image may name a directory.

use super::module::read_unpacked;
use super::modules::Module;
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path};

/// What was found and what was not.
#[derive(Debug, Default)]
pub struct Firmware {
    /// Files by their paths below `/lib/firmware`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the modules name and the directory lacks.
    pub missing: Vec<Missing>,
}

/// What one module lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The module.
    pub module: String,
    /// Whether it is of no use without.
    pub is_needed: bool,
    /// The files.
    pub files: Vec<String>,
}

impl Firmware {
    /// Looks in `directory` for what the modules name.
    pub fn collect(modules: &[Module], directory: Option<&Path>) -> Result<Self> {
        if let Some(directory) = directory
            && !directory.is_dir()
        {
            bail!("the firmware directory {} is not there", directory.display());
        }
        let mut firmware = Self::default();
        for module in modules {
            let mut files = Vec::new();
            for name in &module.info.firmware {
                match directory.map(|directory| read(directory, name)).transpose()?.flatten() {
                    Some(content) => drop(firmware.files.insert(name.clone(), content)),
                    None => files.push(name.clone()),
                }
            }
            // A module that has one of its files may well name those for other chips, or older
            // ones.
            let is_needed = module.needs_firmware && files.len() == module.info.firmware.len();
            if !files.is_empty() {
                firmware.missing.push(Missing { module: module.name.clone(), is_needed, files });
            }
        }
        Ok(firmware)
    }
}

impl fmt::Display for Missing {
    /// A line for the image's summary; the manifest has all names.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, is_needed, files } = self;
        let how = match (is_needed, files.len()) {
            (true, 1) => "DOES NOT WORK without its file",
            (true, _) => "DOES NOT WORK without one of its files, such as",
            (false, 1) => "works, mostly, without its file",
            (false, _) => "works, mostly, without its files, such as",
        };
        let first = files.first().map_or("", String::as_str);
        writeln!(formatter, "           {module} {how} {first}")
    }
}

/// A file, unpacked if it is kept compressed, as distributions do. `None` if there is none.
fn read(directory: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
        bail!("a module names the firmware {name:?}, which is no path below a directory");
    }
    let candidates = ["", ".xz", ".zst"].map(|suffix| directory.join(format!("{name}{suffix}")));
    candidates.iter().find(|path| path.exists()).map(|path| read_unpacked(path)).transpose()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::module::ModInfo;
    use super::super::profile::{Load, Turn};
    use super::*;

    fn module(name: &str, firmware: &[&str]) -> Module {
        Module {
            name: name.into(),
            object: Vec::new(),
            info: ModInfo {
                firmware: firmware.iter().map(|name| (*name).to_owned()).collect(),
                ..ModInfo::default()
            },
            parameters: String::new(),
            load: Load::Hardware,
            turn: Turn::Middle,
            needs: Vec::new(),
            brings: Vec::new(),
            needs_firmware: name.starts_with("needs"),
        }
    }

    fn missing(module: &str, is_needed: bool, files: &[&str]) -> Missing {
        let files = files.iter().map(|name| (*name).to_owned()).collect();
        Missing { module: module.into(), is_needed, files }
    }

    #[test]
    fn only_what_modules_name_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("a/plain.fw", b"plain");
        write("a/packed.fw.zst", &zstd::bulk::compress(b"packed", 1).unwrap());
        write("a/unwanted.fw", b"unwanted");
        let modules = [
            module("x", &["a/plain.fw", "a/packed.fw"]),
            module("needs-one", &["a/absent.fw", "a/plain.fw"]),
            module("needs-all", &["b.fw"]),
            module("y", &["c.fw"]),
            module("z", &[]),
        ];
        let found = Firmware::collect(&modules, Some(directory.path())).unwrap();
        let files: Vec<_> = found.files.iter().map(|(name, data)| (&name[..], &data[..])).collect();
        assert_eq!(files, [("a/packed.fw", &b"packed"[..]), ("a/plain.fw", b"plain")]);
        assert_eq!(
            found.missing,
            [
                missing("needs-one", false, &["a/absent.fw"]),
                missing("needs-all", true, &["b.fw"]),
                missing("y", false, &["c.fw"]),
            ]
        );
        assert_eq!(Firmware::collect(&modules, None).unwrap().missing.len(), 4);
    }

    #[test]
    fn paths_stay_below_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["../x", "/etc/passwd", "a/../../x"] {
            let modules = [module("x", &[name])];
            assert!(Firmware::collect(&modules, Some(directory.path())).is_err(), "{name}");
        }
        let absent = directory.path().join("absent");
        assert!(Firmware::collect(&[], Some(&absent)).is_err());
    }
}
