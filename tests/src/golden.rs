//! The golden cases: disks, and what the reference programs made of them (golden/README.md).

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use imagezip_core::digest::Sha256;
use imagezip_core::extent::ExtentSet;
use imagezip_core::ndz::Image;
use imagezip_core::sector::SectorCount;
use imagezip_core::signature::Signature;
use serde_json::Value;

/// Windows of stored files are up to 2^31 bytes: a patch reaches back over the whole old file.
const WINDOW_LOG_MAX: u32 = 31;

/// One case: a directory with a manifest and files.
pub struct Case {
    name: String,
    dir: PathBuf,
    manifest: Value,
}

impl Case {
    /// The case of that name.
    pub fn open(name: &str) -> Result<Self> {
        let dir = golden_dir().join(name);
        let manifest = fs::read_to_string(dir.join("manifest.json"))
            .with_context(|| format!("no golden case {name}"))?;
        let manifest = serde_json::from_str(&manifest)?;
        Ok(Self { name: name.to_owned(), dir, manifest })
    }

    /// The names of all cases, sorted.
    pub fn names() -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(golden_dir())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The case's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The manifest: `commands` with exit codes and messages, `checks` of their results, `files`.
    pub fn manifest(&self) -> &Value {
        &self.manifest
    }

    /// The names of the files that are kept here, of those in the manifest.
    pub fn files(&self) -> Vec<&str> {
        let files = self.manifest["files"].as_object();
        let names = files.into_iter().flatten().map(|(name, _)| name.as_str());
        names.filter(|name| self.has(name)).collect()
    }

    /// Whether the file is kept here.
    pub fn has(&self, name: &str) -> bool {
        let entry = &self.manifest["files"][name];
        match entry["same_as"].as_str() {
            Some(other) => self.has(other),
            None => entry.is_object() && self.stored(name).is_some(),
        }
    }

    fn stored(&self, name: &str) -> Option<(PathBuf, Form)> {
        let forms =
            [("", Form::Plain), (".zst", Form::Compressed), (".patchfrom.zst", Form::Patch)];
        let mut paths = forms
            .map(|(suffix, form)| (self.dir.join(format!("{name}{suffix}")), form))
            .into_iter();
        paths.find(|(path, _)| path.is_file())
    }

    /// A file's content, checked against the manifest.
    pub fn file(&self, name: &str) -> Result<Vec<u8>> {
        let which = || format!("golden file {}/{name}", self.name);
        let entry = &self.manifest["files"][name];
        let content = match (entry["same_as"].as_str(), self.stored(name)) {
            (Some(other), _) => self.file(other)?,
            (None, None) => bail!("{} is not kept", which()),
            (None, Some((path, Form::Plain))) => fs::read(path).with_context(which)?,
            (None, Some((path, Form::Compressed))) => decompress(&path, &[]).with_context(which)?,
            (None, Some((path, Form::Patch))) => {
                let old = entry["patch_from"].as_str().with_context(which)?;
                decompress(&path, &self.file(old)?).with_context(which)?
            }
        };
        let sha256 = Sha256::of(&content).to_string();
        ensure!(entry["sha256"].as_str() == Some(&sha256), "{}: wrong digest", which());
        Ok(content)
    }

    /// A disk's content; if it is one of a file, with zeros up to whole sectors.
    pub fn disk(&self, name: &str) -> Result<Vec<u8>> {
        let mut content = self.file(name)?;
        content.resize(content.len().next_multiple_of(512), 0);
        Ok(content)
    }

    /// An image, and what it is about.
    pub fn image(&self, name: &str) -> Result<GoldenImage> {
        let file = self.file(name)?;
        let image = Image::open(&file)?;
        let (extents, sectors) = (image.extents()?, image.sectors()?);
        Ok(GoldenImage { file, extents, sectors })
    }

    /// A signature.
    pub fn signature(&self, name: &str) -> Result<Signature> {
        Ok(Signature::read(&self.file(name)?)?)
    }
}

/// An image that the reference made.
pub struct GoldenImage {
    /// The file's content.
    pub file: Vec<u8>,
    /// The sectors that it has data for.
    pub extents: ExtentSet,
    /// The sectors that it is about.
    pub sectors: SectorCount,
}

/// How a file is stored.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Compressed,
    Patch,
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn decompress(path: &Path, old: &[u8]) -> Result<Vec<u8>> {
    let compressed = fs::read(path)?;
    let mut decoder = zstd::Decoder::with_ref_prefix(compressed.as_slice(), old)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    let mut content = Vec::new();
    decoder.read_to_end(&mut content)?;
    Ok(content)
}
