//! The command line of the tools: one table, one file for each tool.
//!
//! All tools are one program. The file name that it is called by says which tool it is; called
//! by any other name, the first argument does.

pub mod exit;
pub mod imagedelta;
pub mod imagedump;
pub mod imagefs;
pub mod imagehash;
pub mod imagenbd;
pub mod imagerebase;
pub mod imagerestore;
pub mod imagerezip;
pub mod imageundelta;
pub mod imageunzip;
pub mod imagezip;
pub mod json;
pub mod values;

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, FromArgMatches};

use crate::signals;
pub use exit::{Exit, Failure, STATUSES, USAGE};

/// The name of the program that is all tools.
const PROGRAM: &str = "imagezip-tools";

/// One of the tools.
#[derive(Debug)]
pub struct Tool {
    /// The name of the program.
    pub name: &'static str,
    /// Its options and operands.
    arguments: fn() -> clap::Command,
    /// What it does with them.
    run: fn(&ArgMatches) -> anyhow::Result<Exit>,
    /// What it does otherwise than the classic tool of this name: faults that it doesn't have,
    /// options that it refuses. A sentence each.
    pub differences: &'static [&'static str],
    /// Exit statuses beyond those that all tools have, and what they mean.
    pub exit_statuses: &'static [(u8, &'static str)],
    /// What the tool is used for, and how it is called for that.
    pub examples: &'static [(&'static str, &'static str)],
    /// Files beside the operands, and what they are.
    pub files: &'static [(&'static str, &'static str)],
}

/// All tools, in the order in which people are told of them.
pub const TOOLS: &[Tool] = &[
    imagezip::TOOL,
    imageunzip::TOOL,
    imagehash::TOOL,
    imagedelta::TOOL,
    imageundelta::TOOL,
    imagerebase::TOOL,
    imagerestore::TOOL,
    imagerezip::TOOL,
    imagedump::TOOL,
    imagefs::TOOL,
    imagenbd::TOOL,
];

/// What all tools do otherwise than the classic ones.
pub const COMMON_DIFFERENCES: &[&str] = &[
    "Exit statuses from 3 on say what kind of thing went wrong; the classic tools ended with 1, or \
     were aborted.",
    "-h is no error: it prints to standard output and ends with status 0.",
    "All options have long names, too.",
    "A new image or signature is complete or not there: a new file is no image until its last \
     byte is on the disk, one that was there stays until then.",
    "Images of all versions from 1 to 5 are read. Version 4 is not written: its checksums are \
     signed with RSA keys of 512 bits, and its cipher, Blowfish, is as weak.",
];

/// A tool's arguments, and what it does.
pub trait Run: FromArgMatches {
    /// Does what the arguments say.
    ///
    /// # Errors
    /// Any; `exit` says which status the program ends with.
    fn run(self) -> anyhow::Result<Exit>;
}

/// The [`Tool::run`] of a tool with the arguments `T`.
fn run<T: Run>(matches: &ArgMatches) -> anyhow::Result<Exit> {
    T::from_arg_matches(matches)?.run()
}

impl Tool {
    /// The tool of that name.
    pub fn named(name: &OsStr) -> Option<&'static Self> {
        TOOLS.iter().find(|tool| name == tool.name)
    }

    /// The tool's command line: what help, manual page and completions are made of.
    pub fn command(&self) -> clap::Command {
        let version = Arg::new("version")
            .short('v')
            .long("version")
            .action(ArgAction::Version)
            .help("Print the version and what it supports");
        (self.arguments)()
            .name(self.name)
            .version(VERSION)
            .disable_version_flag(true)
            .arg(version)
            // As in the classic tools, an option that is given again replaces the one before.
            .args_override_self(true)
            .max_term_width(100)
    }

    /// Runs the tool with the arguments after its name.
    fn main(&self, arguments: impl Iterator<Item = OsString>) -> ExitCode {
        let line = std::iter::once(OsString::from(self.name)).chain(arguments);
        match self.command().try_get_matches_from(line) {
            Ok(matches) => {
                let done = signals::handle().and_then(|()| (self.run)(&matches));
                exit::finish(self.name, done)
            }
            Err(error) => self.not_run(&error),
        }
    }

    /// Answers a command line with which nothing is to be done.
    fn not_run(&self, answer: &clap::Error) -> ExitCode {
        let text = answer.render().to_string();
        match answer.kind() {
            ErrorKind::DisplayHelp => exit::finish(self.name, exit::print(&text)),
            // The classic tools' versions are on standard error.
            ErrorKind::DisplayVersion => {
                eprint!("{text}");
                ExitCode::SUCCESS
            }
            _ => {
                eprint!("{}: {}", self.name, text.strip_prefix("error: ").unwrap_or(&text));
                ExitCode::from(USAGE)
            }
        }
    }
}

/// What `-v` says after the tool's name.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nimages: reads versions 1, 2, 3, 4 and 5, writes 1, 3 and 5",
    "\nsignatures: reads versions 1, 2 and 3, writes 2; MD5, SHA-1, SHA-256",
    "\npartition tables: MBR, GPT; file systems: ext2, ext3, ext4, Linux swap",
);

/// The tools' program: finds out which tool it is, and runs it.
pub fn main(mut line: impl Iterator<Item = OsString>) -> ExitCode {
    let program = line.next().unwrap_or_default();
    let file_name = Path::new(&program).file_name().unwrap_or_default();
    if let Some(tool) = Tool::named(file_name) {
        return tool.main(line);
    }
    let Some(name) = line.next() else {
        eprint!("{}", list());
        return ExitCode::from(USAGE);
    };
    if let Some(tool) = Tool::named(&name) {
        tool.main(line)
    } else if name == "-h" || name == "--help" {
        exit::finish(PROGRAM, exit::print(&list()))
    } else if name == "-v" || name == "--version" {
        eprintln!("{PROGRAM} {VERSION}");
        ExitCode::SUCCESS
    } else {
        eprint!("{PROGRAM}: no tool '{}'\n\n{}", name.display(), list());
        ExitCode::from(USAGE)
    }
}

/// What there is, for people who don't know.
fn list() -> String {
    let mut text = format!("Usage: {PROGRAM} TOOL [ARGUMENTS]\n\nTools:\n");
    for tool in TOOLS {
        let about = tool.command().get_about().map(ToString::to_string).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<14}{about}", tool.name);
    }
    text + "\nUnder the name of a tool, the program is that tool.\n"
}
