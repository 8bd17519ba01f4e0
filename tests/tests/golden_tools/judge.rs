//! Compares what a command made with what the reference made.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result, bail, ensure};
use imagezip_core::allocation::{LEAST_FREE, Selection};
use imagezip_core::digest::Digest;
use imagezip_core::ndz::{Image, RelocType};
use imagezip_core::pipeline::{Hashing, Joining, SingleThread, hash_image};
use imagezip_core::sector::{SectorCount, SectorRange};
use imagezip_core::signature::Signature;
use swapmfs_tests::disk::{map, save};
use swapmfs_tests::strict::{self, Contents, Expected};

use super::deviations::{self, Reason};
use super::disks::{ensure_equal, read_image};
use super::files::Files;
use super::oracle::State;
use super::run::Inputs;

/// How a file compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same as the reference's.
    Same,
    /// Another than the reference's, but right.
    Right(Reason),
}

pub(crate) struct Judge<'a> {
    files: &'a Files,
    inputs: Inputs,
    dir: PathBuf,
    states: BTreeMap<&'static str, OnceCell<Option<State>>>,
    /// The full images that our imagezip made, which other commands' inputs don't replace.
    made: BTreeMap<String, Made>,
}

/// A full image that our imagezip made.
struct Made {
    file: Vec<u8>,
    contents: Contents,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(files: &'a Files, inputs: Inputs, dir: &Path) -> Self {
        let states = ["base", "mod", "s2"].map(|name| (name, OnceCell::new()));
        let (dir, made) = (dir.to_owned(), BTreeMap::new());
        Self { files, inputs, dir, states: states.into(), made }
    }

    /// A disk of the case: the one that a file is about.
    fn state(&self, file: &str) -> Option<&State> {
        let name = match file {
            file if file.starts_with("delta2") || file.starts_with("s2") => "s2",
            file if file.starts_with("base") || file.starts_with(['n', 'o', 'x']) => "base",
            _ => "mod",
        };
        let cell = self.states.get(name)?;
        cell.get_or_init(|| State::of(self.files, name)).as_ref()
    }

    /// What a command made; `None` for a file that says nothing.
    pub(crate) fn file(&mut self, line: &str, name: &str) -> Result<Option<Verdict>> {
        // How well an image is compressed makes no difference.
        let kept = if name.starts_with("base.z") { "base.ndz" } else { name };
        let golden = self.files.get(kept);
        let golden = golden.as_ref().map(|golden| golden.as_slice());
        let same = if name.ends_with(".ndz") {
            self.image(line, name, golden)?
        } else if name.ends_with(".sig") {
            self.signature(line, name, golden)?
        } else if name.ends_with(".dump.txt") && self.inputs == Inputs::Reference {
            self.dump(name, golden)?
        } else {
            return Ok(None);
        };
        if same {
            return Ok(Some(Verdict::Same));
        }
        let reason = deviations::of_file(self.files.case(), self.inputs, line, name);
        let reason = reason.context("right, but not what the reference made")?;
        Ok(Some(Verdict::Right(reason)))
    }

    /// An image in the directory. What is in an encrypted one is known.
    pub(crate) fn contents(&self, name: &str) -> Result<Contents> {
        if name == "base.enc.ndz" {
            let plain = self.files.get("base.ndz").context("base.ndz is not kept")?;
            return strict::read(&plain);
        }
        read_image(&self.dir.join(name))
    }

    /// Whether an image is the reference's; else it must give back what there was.
    fn image(&mut self, line: &str, name: &str, golden: Option<&[u8]>) -> Result<bool> {
        let made = read_image(&self.dir.join(name))?;
        let golden = golden.and_then(|golden| strict::read(golden).ok());
        if line.contains("imagezip") && !line.contains(" -H ") {
            let file = fs::read(self.dir.join(name))?;
            self.made.insert(name.to_owned(), Made { file, contents: made.clone() });
        }
        if golden.as_ref().is_some_and(|golden| is_same(&made, golden)) {
            return Ok(true);
        }
        if let Some(same) = self.selected(line, &made)? {
            return Ok(same);
        }
        // A delta, or an image made of images, gives back what the full image of the disk does.
        let mut images = self.bases(name)?;
        images.push(made);
        let images: Vec<_> = images.iter().collect();
        if let Some(whole) = self.whole(line, name) {
            let expected = Expected::Image(&whole);
            strict::check(&images, &whole.extents, expected).context("not what was there")?;
            let made = images.last().context("nothing was made")?;
            return Ok(name == "rezip.ndz" && is_same(made, &whole));
        }
        if let Some(golden) = golden.filter(|_| self.files.case() == "slicemode") {
            let relocs = images.iter().flat_map(|image| image.relocs.clone());
            ensure!(relocs.eq(golden.relocs.iter().copied()), "other relocations");
            let expected = Expected::Image(&golden);
            strict::check(&images, &golden.extents, expected).context("not all of theirs")?;
            return Ok(false);
        }
        let state = self.state(name).context("made of a disk that isn't kept")?;
        let expected = Expected::Disk(&state.disk);
        strict::check(&images, &state.required, expected).context("not all that is in use")?;
        Ok(false)
    }

    /// The full image of the state that a delta leads to: of imagezip's, the one that our imagezip
    /// made of the same disk; of the other tools', the one that they read.
    fn whole(&self, line: &str, name: &str) -> Option<Contents> {
        let stem = name.strip_suffix(".ndz")?;
        if stem.starts_with("undelta") && self.has_own_delta() {
            return self.made.get("mod.ndz").map(|made| made.contents.clone());
        }
        if ["idelta", "undelta", "rezip"].iter().any(|kind| stem.starts_with(kind)) {
            return read_image(&self.dir.join("mod.ndz")).ok();
        }
        let part = stem.strip_prefix("delta").filter(|_| line.contains(" -H "))?;
        let of_part = format!("mod{part}.ndz");
        let made = self.made.get(&of_part).or_else(|| self.made.get("mod.ndz"));
        made.map(|made| made.contents.clone())
    }

    /// Whether the delta in the directory is ours, since the reference made none.
    fn has_own_delta(&self) -> bool {
        self.files.get("delta.ndz").is_none_or(|golden| golden.is_empty())
    }

    /// The images that an image needs before it.
    fn bases(&self, name: &str) -> Result<Vec<Contents>> {
        let of_part = name.replacen("delta", "base", 1);
        let names: &[&str] = match name {
            name if name.starts_with("delta3") => &["base.ndz", "delta2.ndz"],
            name if name.starts_with("delta") && self.dir.join(&of_part).exists() => &[&of_part],
            name if name.starts_with("delta") || name.starts_with("idelta") => &["base.ndz"],
            _ => &[],
        };
        names.iter().map(|name| read_image(&self.dir.join(name))).collect()
    }

    /// An image made with options that select partitions: whether it is what the options say, as
    /// a change to the image without them.
    fn selected(&self, line: &str, made: &Contents) -> Result<Option<bool>> {
        let Some(Made { contents: all, .. }) = self.made.get("o.ndz") else { return Ok(None) };
        let (option, number) = match words(line).as_slice() {
            ["imagezip", option @ ("-I" | "-R" | "-c"), number, ..] => (*option, number.parse()?),
            ["imagezip", "-x", ..] => ("-x", 0),
            _ => return Ok(None),
        };
        let disk = self.files.get("base.img").context("base.img is not kept")?;
        let table = map(&disk, Selection::WholeDisk, LEAST_FREE)?;
        let partition = table.partitions.iter().find(|partition| partition.number == number);
        let partition = partition.map(|partition| partition.range.into());
        let count = SectorRange::first(SectorCount::from_u32(number)).into();
        let expected = match (option, partition) {
            ("-I", Some(partition)) => all.extents.difference(&partition),
            ("-R", Some(partition)) => all.extents.union(&partition),
            ("-c", _) => all.extents.intersection(&count),
            ("-x", _) => all.extents.clone(),
            _ => bail!("no such partition"),
        };
        ensure!(made.extents == expected, "{:?}, not {expected:?}", made.extents);
        strict::check(&[made], &expected, Expected::Disk(&disk))?;
        // What the reference should have done is written down as a number of sectors.
        let sectors = self.files.manifest()["checks"]
            [format!("imagezip {option} {number}").trim_end_matches(" 0")]
        .as_str();
        let count = format!("{} sectors", made.extents.sector_count());
        Ok(Some(sectors.is_some_and(|sectors| sectors.starts_with(&count))))
    }

    /// Whether a signature is the reference's; else it must be that of all that is held.
    fn signature(&self, line: &str, name: &str, golden: Option<&[u8]>) -> Result<bool> {
        let bytes = fs::read(self.dir.join(name))?;
        if golden == Some(&bytes) {
            return Ok(true);
        }
        let made = Signature::read(&bytes)?;
        let golden = golden.and_then(|golden| Signature::read(golden).ok());
        // The numbers of chunks depend on the compressor; but not of an image that is the same.
        let of_theirs = line.contains("imagehash") && self.inputs == Inputs::Reference;
        if golden.is_some_and(|golden| !of_theirs && same_entries(&made, &golden)) {
            return Ok(true);
        }
        let whole_blocks = !line.contains("imagehash") || line.contains(" -X ");
        let joining = if whole_blocks { Joining::Blocks } else { Joining::Chunks };
        let skip_relocated = line.contains("imagehash -N ");
        let how =
            Hashing { hash_type: made.hash_type(), block: made.block(), joining, skip_relocated };
        let image = self.signed_image(line, name)?;
        let image = Image::open(&image)?;
        let expected = hash_image(&SingleThread, &image, how, &AtomicU64::new(0))?;
        ensure!(same_entries(&made, &expected), "not the signature of what is held");
        Ok(false)
    }

    /// The file of the full image that a signature must be of.
    fn signed_image(&self, line: &str, name: &str) -> Result<Vec<u8>> {
        let words = words(line);
        let after = |option| words.iter().position(|word| *word == option).map(|at| words[at + 1]);
        let stem = name.strip_suffix(".sig").unwrap_or(name);
        if words[0] != "imagezip" {
            if let Some(made) = self.made.get("mod.ndz").filter(|_| stem.starts_with("delta")) {
                return Ok(made.file.clone());
            }
            let image = match stem {
                image if line.contains("imagehash") && image.ends_with(".ndz") => image,
                _ if line.contains("imagehash") => words[words.len() - 1],
                // With `-F`, and of a delta of imagezip's: of the state that the delta leads to.
                stem if line.contains(" -F ") || stem.starts_with("delta") => "mod.ndz",
                image => image,
            };
            let path = self.dir.join(image);
            return fs::read(&path).with_context(|| path.display().to_string());
        }
        let full = stem.replacen("delta", "mod", 1);
        let full = [format!("{full}.ndz"), "mod.ndz".to_owned()];
        let of_base = stem.starts_with("base");
        if let Some(made) =
            full.iter().take(2 - usize::from(of_base)).find_map(|name| self.made.get(name))
        {
            return Ok(made.file.clone());
        }
        // The library's image of the same sectors, which other tests compare with the reference's.
        let disk = words[words.len() - 2];
        let mut disk = self.files.get(disk).context("a disk that is not kept")?.to_vec();
        disk.resize(disk.len().next_multiple_of(512), 0);
        let selection = after("-s")
            .map_or(Ok(Selection::WholeDisk), |number| number.parse().map(Selection::Partition))?;
        let least = after("-F").map_or(Ok(LEAST_FREE), |n| n.parse().map(SectorCount::from_u32))?;
        Ok(save(&disk, &map(&disk, selection, least)?, None)?.image)
    }

    /// Whether a report is the reference's.
    fn dump(&self, name: &str, golden: Option<&[u8]>) -> Result<bool> {
        let made = fs::read_to_string(self.dir.join(name))?;
        let Some(golden) = golden else { return Ok(false) };
        let golden = String::from_utf8(golden.to_vec())?;
        // Theirs are averages over a chunk more than there is (golden_dump.rs).
        let lines = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains(" total regions: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        Ok(lines(&made) == lines(&golden))
    }

    /// Checks a whole disk after images were loaded: with our images all that must be saved is
    /// there, and a file system is as good as it was.
    pub(crate) fn restored(&self, image: &str, disk: &[u8]) -> Result<()> {
        let Some(state) = self.state(image).filter(|_| self.inputs == Inputs::Own) else {
            return Ok(());
        };
        ensure_equal(&state.required, disk, &state.disk).context("not what was saved")?;
        ensure!(state.is_as_clean(disk), "e2fsck finds faults that were not there");
        Ok(())
    }
}

/// The words of the first command on a line.
fn words(line: &str) -> Vec<&str> {
    let first = line.split(';').next().unwrap_or_default();
    first.split(' ').filter(|word| !word.is_empty()).collect()
}

/// The length of the file that an image is of, if that is no multiple of 512.
pub(crate) fn short_file(image: &Contents) -> Option<usize> {
    let reloc = image.relocs.iter().find(|reloc| reloc.kind == RelocType::SHORT_SECTOR)?;
    let start = reloc.sector.to_bytes().get();
    usize::try_from(start + u64::from(reloc.size)).ok()
}

fn is_same(one: &Contents, other: &Contents) -> bool {
    // Version 1 doesn't say how large its disk is.
    let sized = one.version != 1 && other.version != 1;
    one.extents == other.extents
        && one.data == other.data
        && one.relocs == other.relocs
        && (!sized || one.sectors == other.sectors)
}

fn same_entries(one: &Signature, other: &Signature) -> bool {
    let entries = |signature: &Signature| -> Vec<(SectorRange, Digest)> {
        signature.iter().map(|entry| (entry.range, entry.digest)).collect()
    };
    let kind = |signature: &Signature| (signature.hash_type(), signature.block());
    kind(one) == kind(other) && entries(one) == entries(other)
}
