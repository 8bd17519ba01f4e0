//! The three files of a save.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::Meta;
use xtask::experiment::Experiment;

pub(super) const SUFFIXES: [&str; 3] = [".ndz", ".sig", ".meta"];

/// An image, its signature and its description.
#[derive(Clone, PartialEq, Eq)]
pub struct Set {
    /// `-swap.ndz`
    pub image: Vec<u8>,
    /// `-swap.sig`
    pub signature: Vec<u8>,
    /// `-swap.meta`
    pub meta: Vec<u8>,
}

impl Set {
    /// The set under the final names.
    pub fn read(experiment: &Experiment) -> Result<Self> {
        Ok(Self {
            image: read(experiment, "-swap.ndz")?,
            signature: read(experiment, "-swap.sig")?,
            meta: read(experiment, "-swap.meta")?,
        })
    }

    /// The set that a reader finds whatever moment a run was cut off at
    /// (docs/decisions/0005-three-files-as-one.md).
    pub fn find(experiment: &Experiment) -> Result<Self> {
        let set = Self::read(experiment)?;
        if set.meta_names_image()? {
            return Ok(set);
        }
        if experiment.node_file("-swap.ndz.tmp").exists() {
            bail!("the image was replaced, and there is a temporary one, too");
        }
        let signature = match fs::read(experiment.node_file("-swap.sig.tmp")) {
            Ok(signature) => signature,
            Err(_) => set.signature,
        };
        let set = Self { image: set.image, signature, meta: read(experiment, "-swap.meta.tmp")? };
        ensure!(set.meta_names_image()?, "no description names the image that is there");
        Ok(set)
    }

    /// Puts the set under the final names and removes temporary files.
    pub fn write(&self, experiment: &Experiment) -> Result<()> {
        for (suffix, content) in SUFFIXES.iter().zip([&self.image, &self.signature, &self.meta]) {
            let _ = fs::remove_file(experiment.node_file(&format!("-swap{suffix}.tmp")));
            // Not in place: the file may be another user's.
            let path = experiment.node_file(&format!("-swap{suffix}"));
            let _ = fs::remove_file(&path);
            fs::write(path, content)?;
        }
        Ok(())
    }

    /// What the description says.
    pub fn description(&self) -> Result<Meta> {
        Meta::parse(&self.meta).context("-swap.meta")
    }

    /// Whether both have the same image and signature, whenever they were made.
    pub fn is_same_state(&self, other: &Self) -> bool {
        self.image == other.image && self.signature == other.signature
    }

    fn meta_names_image(&self) -> Result<bool> {
        Ok(Sha256(self.description()?.image_sha256) == Sha256::of(&self.image))
    }
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let image = Sha256::of(&self.image);
        write!(f, "{} bytes, SHA-256 {image}", self.image.len())
    }
}

fn read(experiment: &Experiment, suffix: &str) -> Result<Vec<u8>> {
    let path = experiment.node_file(suffix);
    fs::read(&path).with_context(|| path.display().to_string())
}
