//! The image manifest, `initramfs/<profile>.toml`: what goes into an image and how big it may be.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// What an image for one class of hardware is made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Where the kernel comes from.
    pub kernel: Kernel,
    /// How big the results may be.
    pub budget: Budget,
    /// What the agent loads, besides what these depend on. The order is kept where dependencies
    /// leave a choice.
    #[serde(rename = "module")]
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

/// A module and the parameters to load it with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedModule {
    /// The module's name; `-` and `_` mean the same.
    pub name: String,
    /// Parameters as on modprobe's command line.
    #[serde(default)]
    pub parameters: String,
}

impl Profile {
    /// Reads `<name>.toml` in `directory`.
    pub fn load(directory: &Path, name: &str) -> Result<Self> {
        let known = Self::names(directory)?;
        if !known.iter().any(|candidate| candidate == name) {
            bail!("there is no profile `{name}`; there is: {}", known.join(", "));
        }
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
        assert!(names.contains(&"virtio".to_owned()));
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
}
