//! `imagedump`: shows what image files hold.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{ArgAction, CommandFactory, Parser};
use imagezip_core::ndz::ChecksumType;

use super::exit::print;
use super::{Exit, Run, Tool};
use crate::dump::{ChunkSource, Detail, Facts, Wanted, gather, is_image, report};
use crate::keys::KeyRing;
use crate::signing::Verifier;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "imagedump",
    arguments: Imagedump::command,
    run: super::run::<Imagedump>,
    differences: DIFFERENCES,
    exit_statuses: &[(
        1,
        "as many files as the number says are bad (125: or more), or the command line is wrong",
    )],
    examples: &[
        ("What an image holds", "imagedump disk.ndz"),
        ("Whether an image is undamaged", "imagedump -c disk.ndz"),
        ("Whether it is the image that somebody signed", "imagedump --verify key.pub disk.ndz"),
        ("For programs", "imagedump --json disk.ndz"),
    ],
    files: &[
        ("IMAGE.skey", "the key with which imagezip signed IMAGE, version 4; for -c"),
        ("IMAGE.ndk", "the same under the name that the classic imagedump looks for"),
        ("IMAGE.sha256, IMAGE.sha256.minisig", "digests and their signature; for --verify"),
    ],
};

const DIFFERENCES: &[&str] = &[
    "The average number of regions in a chunk is right; the classic tool counted a chunk too many.",
    "The size of an image on standard input is right.",
    "An empty file is shown as an empty image, which is what imagezip writes where nothing has \
     changed.",
    "What imageunzip would not load is an error: overlapping or empty regions, gaps between \
     chunks, a file that has been cut off. The classic tool warned.",
    "After a bad chunk, the chunks behind it are shown, too.",
    "-c decompresses the data of all versions; the classic tool only knew checksums of version 4. \
     It finds the key that imagezip leaves in IMAGE.skey.",
    "-m knows all versions.",
    "With several files, -q says whether all of them look like images.",
];

/// Show what image files hold, and check them.
///
/// Each file's report is on standard output, what is wrong with it on standard error. With --json
/// the output is an array with an object for each file: its keys are named as the lines of the
/// report; sectors and bytes are numbers of up to 64 bits; "problems" is empty for a good file.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag of the classic tool")]
pub struct Imagedump {
    /// A line for each chunk; twice: for each region and relocation, too
    #[arg(short, long, action = ArgAction::Count)]
    pub detail: u8,
    /// Show which sectors are allocated and which are free
    #[arg(short, long)]
    pub map: bool,
    /// Ignore the chunks' numbers, as in a piece of an image
    #[arg(short, long)]
    pub ignore_numbers: bool,
    /// Print nothing: say by the exit status whether it looks like an image
    #[arg(short, long)]
    pub quick: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Ignored, as in the classic tool
    #[arg(short = 'C', value_name = "X", hide = true)]
    pub ignored: Option<String>,

    /// Check checksums, and decompress all data
    #[arg(short, long, help_heading = "Checks")]
    pub checksums: bool,
    /// The key to the signed checksums of version 4; by default IMAGE.skey or IMAGE.ndk
    #[arg(long, value_name = "FILE", requires = "checksums", help_heading = "Checks")]
    pub checksum_key: Option<PathBuf>,
    /// The key to encrypted data of version 4
    #[arg(long, value_name = "FILE", requires = "checksums", help_heading = "Checks")]
    pub key: Option<PathBuf>,
    /// Check that the image is signed with this minisign key, a file or the key itself
    #[arg(long, visible_alias = "signed-by", value_name = "KEY", help_heading = "Checks")]
    pub verify: Option<OsString>,

    /// The images; - for standard input
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<PathBuf>,
}

/// The most bad files that the exit status counts: the numbers above are the shell's.
const BAD_MAX: u8 = 125;

impl Run for Imagedump {
    fn run(self) -> anyhow::Result<Exit> {
        if self.quick {
            let all = self.images.iter().all(|path| is_image(path));
            return Ok(if all { Exit::OK } else { Exit::NO });
        }
        let verifier = self.verify.as_deref().map(Verifier::load).transpose()?;
        let mut bad = 0_u8;
        let mut all_facts = Vec::new();
        for path in &self.images {
            let mut facts = self.examine(path)?;
            match verifier.as_ref().map(|verifier| verifier.verify(path)) {
                Some(Ok(_)) => facts.notes.push("signed with the key".to_owned()),
                Some(Err(error)) => facts.problems.push(format!("{error:#}")),
                None => {}
            }
            if !facts.problems.is_empty() {
                bad = bad.saturating_add(1).min(BAD_MAX);
            }
            if self.json {
                all_facts.push(facts);
            } else {
                print(&report(&facts))?;
                tell(&facts);
            }
        }
        if self.json {
            print(&(serde_json::to_string(&all_facts)? + "\n"))?;
        }
        Ok(Exit(bad))
    }
}

impl Imagedump {
    /// The facts about a file, also if it can't be read.
    fn examine(&self, path: &Path) -> anyhow::Result<Facts> {
        let name = path.display().to_string();
        let keys = if self.checksums { Some(self.keys(path)?) } else { None };
        let source = match ChunkSource::open(path) {
            Ok(source) => source,
            Err(error) => return Ok(Facts::unreadable(name, format!("{error:#}"))),
        };
        let wanted = Wanted {
            chunks: match self.detail {
                0 => Detail::None,
                1 => Detail::Chunks,
                _ => Detail::Regions,
            },
            map: self.map,
            ignore_numbers: self.ignore_numbers,
            check: keys.as_ref().map(|(ring, _)| ring as _),
        };
        let mut facts = gather(&name, source, wanted);
        if let Some((_, has_key)) = keys {
            let signed = facts.checksum_type == Some(ChecksumType::SIGNED_SHA1.0);
            if signed && !has_key {
                let what = "its checksums are signed, and no key is there to check them with: \
                            name one with --checksum-key";
                facts.problems.push(what.to_owned());
            } else if !signed && facts.chunks > 0 && self.checksum_key.is_some() {
                facts.problems.push("its checksums are not signed".to_owned());
            }
        }
        Ok(facts)
    }

    /// The keys for the image at `path`, and whether one for signatures is among them.
    fn keys(&self, path: &Path) -> anyhow::Result<(KeyRing, bool)> {
        let mut ring = KeyRing::new();
        if let Some(key) = &self.key {
            ring.add_cipher_key(key)?;
        }
        let beside = ["skey", "ndk"].map(|suffix| beside(path, suffix));
        let found = || beside.into_iter().find(|candidate| candidate.exists());
        let Some(key) = self.checksum_key.clone().or_else(found) else { return Ok((ring, false)) };
        ring.add_signature_key(&key)
            .with_context(|| format!("the key to the checksums of {}", path.display()))?;
        Ok((ring, true))
    }
}

/// The file that belongs to the image at `path` and has this suffix more.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name =
        if path == Path::new("-") { "stdin".into() } else { path.as_os_str().to_owned() };
    name.push(".");
    name.push(suffix);
    name.into()
}

/// Says what is wrong with a file.
fn tell(facts: &Facts) {
    for line in facts.notes.iter().chain(&facts.problems) {
        eprintln!("imagedump: {}: {line}", facts.file);
    }
}
