//! `imagefs`: shows and copies files that are in images, without loading the images.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use imagezip_core::extent::ExtentSet;

use super::{Exit, Run, Tool};
use crate::browse::diff::{States, diff};
use crate::browse::list::{self, Form};
use crate::browse::{Disk, Output, Place, Troubles, Volume, Whole, copy};
use crate::chain::{Inputs, Stack};
use crate::keys::KeyRing;

/// The tool.
pub const TOOL: Tool = Tool {
    name: NAME,
    arguments: Imagefs::command,
    run: super::run::<Imagefs>,
    differences: &[],
    exit_statuses: &[
        (0, "done; with diff: whether or not files differ"),
        (
            1,
            "the command line is wrong; there is no such file or partition; a file can't be opened, \
             or another error of the host",
        ),
    ],
    examples: &[
        ("Which partitions there are", "imagefs ls base.ndz"),
        ("What is in a directory of partition 2", "imagefs ls -l base.ndz delta.ndz 2:/etc"),
        ("All files of an image of a single file system", "imagefs ls -R root.ndz :/"),
        ("One file", "imagefs cat base.ndz delta.ndz 2:/etc/passwd > passwd"),
        ("Which files a delta changed", "imagefs diff base.ndz delta.ndz 2:/"),
    ],
    files: &[],
};

const NAME: &str = "imagefs";

/// The chunks that are kept open. Directories and inodes are read in no order; a chunk takes up to
/// 33 MiB while it is open, and mostly less than 10.
const OPEN_CHUNKS: usize = 16;

/// Show and copy files that are in images, without loading the images.
///
/// IMAGE... are a base image and the deltas on it, in order. What is read is ext2, ext3, ext4 and
/// FAT, on a disk with partitions or alone.
///
/// A place in the images comes last: PARTITION:PATH for a disk with partitions, such as
/// 2:/etc/passwd, and :PATH for an image of a single file system, such as :/etc/passwd. An image
/// whose name looks so is written ./NAME.
///
/// A journal that was not yet written back is replayed in memory, so that files are as a mount
/// would show them. Where that isn't possible, it is said on standard error. In names, control
/// characters and bytes that are not UTF-8 are shown as \xNN, and a backslash as two.
#[derive(Debug, Parser)]
#[command(arg_required_else_help = false, disable_help_subcommand = true)]
pub struct Imagefs {
    #[command(flatten)]
    keys: Keys,
    #[command(subcommand)]
    command: Command,
}

/// Keys to protected images.
#[derive(Debug, Args)]
pub struct Keys {
    /// Check the signed checksums of images of version 4 with this key
    #[arg(short = 'a', long, value_name = "FILE", help_heading = "Keys", global = true)]
    checksum_key: Option<PathBuf>,
    /// Decrypt images of version 4 with this key
    #[arg(short = 'k', long, value_name = "FILE", help_heading = "Keys", global = true)]
    key: Option<PathBuf>,
}

impl Keys {
    /// The keys that were given.
    ///
    /// # Errors
    /// If a key file can't be read.
    pub fn ring(&self) -> anyhow::Result<KeyRing> {
        KeyRing::of_files(self.key.as_deref(), self.checksum_key.as_deref())
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Ls(Ls),
    Cat(Cat),
    Diff(Diff),
}

/// List files, or the partitions of a disk.
///
/// Without a place, the partitions and what they hold, or the root of a single file system. Times
/// are UTC; those of FAT are what the clock showed that wrote them.
#[derive(Debug, Args)]
struct Ls {
    /// Type, permissions, links, user, group, size in bytes, time of modification and, of a link,
    /// its target
    #[arg(short, long)]
    long: bool,
    /// What is in directories, too; with whole paths
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Print JSON: an array with an object for each file or partition
    #[arg(long)]
    json: bool,
    /// The base image and the deltas on it, and the place: [[PARTITION]:PATH]
    #[arg(value_name = "IMAGE", required = true)]
    operands: Vec<OsString>,
}

/// Write the content of a file to standard output.
///
/// Links are followed, inside of the file system only.
#[derive(Debug, Args)]
struct Cat {
    /// Write to this file, which is complete or not there
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The base image and the deltas on it, and the file: [PARTITION]:PATH
    #[arg(value_name = "IMAGE", required = true)]
    operands: Vec<OsString>,
}

/// List the files that deltas changed, as A, D, M, T or P and the path.
///
/// A: added. D: deleted. M: another content (bytes, target of a link, numbers of a device). T:
/// another type. P: other permissions, owner, flags, extended attributes or, except of directories,
/// time of modification, with the same content. A file that was renamed is deleted and added.
///
/// Contents are compared byte by byte wherever a delta holds a part of them, whatever the times
/// say. What no delta holds is the same, and not read.
#[derive(Debug, Args)]
struct Diff {
    /// Only what the last delta changed: compare with the images before it
    #[arg(short, long)]
    last: bool,
    /// Print JSON: an array with an object for each file
    #[arg(long)]
    json: bool,
    /// The base image and the deltas on it, and the place where to look: [[PARTITION]:PATH]
    #[arg(value_name = "IMAGE", required = true)]
    operands: Vec<OsString>,
}

impl Run for Imagefs {
    fn run(self) -> anyhow::Result<Exit> {
        let keys = self.keys.ring()?;
        match self.command {
            Command::Ls(ls) => ls.run(keys),
            Command::Cat(cat) => cat.run(keys),
            Command::Diff(diff) => diff.run(keys),
        }
        .map(|()| Exit::OK)
    }
}

impl Ls {
    fn run(self, keys: KeyRing) -> anyhow::Result<()> {
        let (inputs, place) = open(&self.operands, keys)?;
        let stack = whole_stack(&inputs, &self.operands)?;
        let device = Whole::new(&stack.layers)?;
        let disk = Disk::open(&device, &name(&stack))?;
        let mut out = Output::new(self.json);
        if disk.has_partitions() && place.is_none() {
            list::partitions(&disk.partitions()?, &mut out)?;
            return out.finish();
        }
        let place = place.unwrap_or_default();
        let part = disk.part(place.partition)?;
        let volume = disk.volume(&part, place.partition)?;
        say_notes(&volume);
        let mut troubles = Troubles::new(NAME);
        let form = Form { long: self.long, recursive: self.recursive };
        list::files(&volume, &place.path, form, &mut out, &mut troubles)?;
        out.finish()?;
        troubles.finish()
    }
}

impl Cat {
    fn run(self, keys: KeyRing) -> anyhow::Result<()> {
        let (inputs, place) = open(&self.operands, keys)?;
        let place = place.filter(|place| !place.path.is_empty());
        let place = place.context("which file? [PARTITION]:PATH is expected as the last operand");
        let place = place.map_err(|error| hint(&self.operands, error))?;
        if let Some(output) = &self.output {
            inputs.check_output(output)?;
        }
        let stack = whole_stack(&inputs, &self.operands)?;
        let device = Whole::new(&stack.layers)?;
        let disk = Disk::open(&device, &name(&stack))?;
        let part = disk.part(place.partition)?;
        let volume = disk.volume(&part, place.partition)?;
        say_notes(&volume);
        copy::copy(&volume, &place.path, self.output.as_deref())
    }
}

impl Diff {
    fn run(self, keys: KeyRing) -> anyhow::Result<()> {
        let (inputs, place) = open(&self.operands, keys)?;
        let count = inputs.count();
        anyhow::ensure!(count > 1, "a base image and at least one delta are expected");
        let before = if self.last { count.saturating_sub(1) } else { 1 };
        let (old, new) = (inputs.stack(0..before)?, whole_stack(&inputs, &self.operands)?);
        let held = (before..count).filter_map(|number| new.layers.visible(number));
        let changed = held.fold(ExtentSet::new(), |sum, held| sum.union(held));

        let (old_device, new_device) = (Whole::new(&old.layers)?, Whole::new(&new.layers)?);
        let old_disk = Disk::open(&old_device, &name(&old))?;
        let new_disk = Disk::open(&new_device, &name(&new))?;
        let place = place.unwrap_or_default();
        let (old_part, new_part) =
            (old_disk.part(place.partition)?, new_disk.part(place.partition)?);
        let old_volume = old_disk.volume(&old_part, place.partition)?;
        let new_volume = new_disk.volume(&new_part, place.partition)?;
        say_notes(&old_volume);
        say_notes(&new_volume);

        // Of a partition that was moved, nothing is where it was.
        let start = new_part.range().start();
        let changed = changed.relative_to(start);
        let known = old_part.range().start() == start;
        let states = States {
            old: &old_volume,
            new: &new_volume,
            changed: Some(&changed).filter(|_| known),
        };
        let mut out = Output::new(self.json);
        let mut troubles = Troubles::new(NAME);
        diff(&states, &place.path, &mut out, &mut troubles)?;
        out.finish()?;
        troubles.finish()
    }
}

/// Opens the images that operands name, and the place in them.
fn open(operands: &[OsString], keys: KeyRing) -> anyhow::Result<(Inputs, Option<Place>)> {
    let (images, place) = Place::split(operands)?;
    let inputs = Inputs::open(images, keys, OPEN_CHUNKS);
    Ok((inputs.map_err(|error| hint(operands, error))?, place))
}

/// All images on top of each other.
fn whole_stack<'a>(inputs: &'a Inputs, operands: &[OsString]) -> anyhow::Result<Stack<'a>> {
    inputs.stack(0..inputs.count()).map_err(|error| hint(operands, error))
}

/// Adds to an error how a place is written, if the user may have meant one.
fn hint(operands: &[OsString], error: anyhow::Error) -> anyhow::Error {
    match operands {
        [_, .., last] if last.as_encoded_bytes().starts_with(b"/") => error.context(format!(
            "if {0} is a place in the images, write :{0}, with a partition's number before the \
             colon",
            last.display()
        )),
        _ => error,
    }
}

/// What the device is called that images make.
fn name(stack: &Stack<'_>) -> String {
    let names: Vec<_> =
        stack.inputs().iter().map(|input| input.path().display().to_string()).collect();
    match names.as_slice() {
        [first, .., last] => format!("{first} with {last}"),
        names => names.concat(),
    }
}

/// Says why what is shown may not be what a mount would show.
fn say_notes(volume: &Volume<'_>) {
    for note in volume.notes() {
        eprintln!("{NAME}: the file system: {note}");
    }
}
