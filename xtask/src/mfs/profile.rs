//! The image manifest, `initramfs/<profile>.toml`: what goes into an image and how big it may be.

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// What an image for one class of hardware is made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Where the kernel comes from.
    pub kernel: Kernel,
    /// How big the results may be.
    pub budget: Budget,
    /// Where firmware comes from; nowhere if this is absent.
    #[serde(default)]
    pub firmware: Firmware,
    /// Other profiles whose modules this one has, too.
    #[serde(default)]
    include: Vec<String>,
    /// What may be loaded, besides what these depend on. The order is kept where dependencies
    /// leave a choice.
    #[serde(default, rename = "module")]
    pub modules: Vec<WantedModule>,
}

/// Where the kernel comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// A Debian kernel package, or the meta package that depends on the current one.
    pub package: String,
}

/// How big the results may be, in bytes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The agent, stripped.
    pub agent: u64,
    /// The compressed initramfs.
    pub initramfs: u64,
}

/// Where firmware comes from.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// A directory like `/lib/firmware`. Of its files those are taken that a module names.
    pub directory: Option<PathBuf>,
}

/// A module, when it is loaded and how.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedModule {
    /// The module's name; `-` and `_` mean the same.
    pub name: String,
    /// When the agent loads it.
    #[serde(default)]
    pub load: Load,
    /// Before or after which others.
    #[serde(default)]
    pub turn: Turn,
    /// Parameters as on modprobe's command line.
    #[serde(default)]
    pub parameters: String,
    /// Modules to be loaded before it that it doesn't name itself.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Modules to be loaded with it; it would ask modprobe for them.
    #[serde(default)]
    pub brings: Vec<String>,
    /// Whether it is of no use without firmware.
    #[serde(default)]
    pub needs_firmware: bool,
}

/// When the agent loads a module.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// In any case.
    Always,
    /// If there is a device for it.
    #[default]
    Hardware,
    /// Only with another module that needs or brings it.
    Dependency,
}

/// The agent begins with the modules of a turn when those of the one before are loaded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// Watchdogs: they are armed before anything else is loaded.
    First,
    /// Almost everything.
    #[default]
    Middle,
    /// What brings disks that must not come before the machine's own ones.
    Last,
}

impl Profile {
    /// Reads `<name>.toml` in `directory`, and the profiles that it includes.
    pub fn load(directory: &Path, name: &str) -> Result<Self> {
        let known = Self::names(directory)?;
        if !known.iter().any(|candidate| candidate == name) {
            bail!("there is no profile `{name}`; there is: {}", known.join(", "));
        }
        let mut profile = Self::read(directory, name)?;
        let mut modules = Vec::new();
        for included in &profile.include {
            let other = Self::read(directory, included)?;
            ensure!(
                other.include.is_empty(),
                "profile {name} includes {included}, which includes others itself"
            );
            modules.extend(other.modules);
        }
        modules.append(&mut profile.modules);
        for module in modules {
            match profile.modules.iter().find(|known| known.name == module.name) {
                None => profile.modules.push(module),
                Some(known) if *known == module => {}
                Some(_) => bail!("profile {name} has two ways to load `{}`", module.name),
            }
        }
        Ok(profile)
    }

    fn read(directory: &Path, name: &str) -> Result<Self> {
        let path = directory.join(format!("{name}.toml"));
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a profile", path.display()))
    }

    /// The profiles in `directory`, sorted.
    pub fn names(directory: &Path) -> Result<Vec<String>> {
        let entries = fs::read_dir(directory)
            .with_context(|| format!("cannot read {}", directory.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            if let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".toml")) {
                names.push(stem.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mfs;

    #[test]
    fn every_profile_of_the_tree_can_be_read() {
        let directory = mfs::profiles();
        let names = Profile::names(&directory).unwrap();
        assert_eq!(names, ["all", "baremetal", "virtio"]);
        for name in names {
            let profile = Profile::load(&directory, &name).unwrap();
            assert!(profile.budget.agent <= 1 << 20, "{name}");
            assert!(profile.budget.initramfs <= 20 << 20, "{name}");
        }
    }

    #[test]
    fn an_unknown_profile_names_the_known_ones() {
        let error = Profile::load(&mfs::profiles(), "../virtio").unwrap_err();
        assert!(error.to_string().contains("there is: "), "{error}");
        assert!(error.to_string().contains("virtio"), "{error}");
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let text = "module = []\nkernel = { package = 'x', colour = 1 }\n\
                    budget = { agent = 1, initramfs = 1 }\n";
        fs::write(directory.path().join("odd.toml"), text).unwrap();
        let error = Profile::load(directory.path(), "odd").unwrap_err();
        assert!(format!("{error:#}").contains("colour"), "{error:#}");
    }

    fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, modules) in files {
            let text =
                format!("{modules}\n[kernel]\npackage = 'x'\n[budget]\nagent = 1\ninitramfs = 1\n");
            fs::write(directory.path().join(format!("{name}.toml")), text).unwrap();
        }
        directory
    }

    #[test]
    fn included_modules_come_first_and_once() {
        let directory = written(&[
            ("a", "module = [{ name = 'x', load = 'always' }, { name = 'y' }]"),
            ("b", "module = [{ name = 'y' }, { name = 'z', turn = 'last' }]"),
            ("all", "include = ['a', 'b']\nmodule = [{ name = 'w' }]"),
            ("odd", "include = ['a']\nmodule = [{ name = 'x' }]"),
            ("deep", "include = ['all']"),
        ]);
        let profile = Profile::load(directory.path(), "all").unwrap();
        let names: Vec<_> = profile.modules.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["x", "y", "z", "w"]);
        assert_eq!(
            (profile.modules[0].load, profile.modules[0].turn),
            (Load::Always, Turn::Middle)
        );
        assert_eq!(
            (profile.modules[2].load, profile.modules[2].turn),
            (Load::Hardware, Turn::Last)
        );
        let error = |name| Profile::load(directory.path(), name).unwrap_err().to_string();
        assert!(error("odd").contains("two ways to load `x`"));
        assert!(error("deep").contains("includes others itself"));
    }
}
