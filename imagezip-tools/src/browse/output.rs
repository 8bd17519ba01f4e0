//! Lines for people or an array of objects for programs, written as they come; and what went wrong
//! meanwhile.

use std::io::{BufWriter, StdoutLock, Write};

use anyhow::Context;
use serde_json::Value;

use crate::commands::{Failure, exit};

/// The standard output as lines, or as a JSON array.
pub struct Output<'a> {
    to: BufWriter<Box<dyn Write + 'a>>,
    json: bool,
    /// Whether nothing was written yet.
    empty: bool,
}

impl Output<'static> {
    /// The standard output.
    pub fn new(json: bool) -> Self {
        let lock: StdoutLock<'static> = std::io::stdout().lock();
        Self::to(Box::new(lock), json)
    }
}

impl<'a> Output<'a> {
    /// Any other place.
    pub fn to(to: Box<dyn Write + 'a>, json: bool) -> Self {
        Self { to: BufWriter::new(to), json, empty: true }
    }

    /// Whether objects are wanted.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Writes a line.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn line(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(text)?;
        self.write("\n")
    }

    /// Writes an object of the array.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn object(&mut self, object: &Value) -> anyhow::Result<()> {
        self.write(if self.empty { "[\n" } else { ",\n" })?;
        self.empty = false;
        self.write(&object.to_string())
    }

    /// Ends the output.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn finish(mut self) -> anyhow::Result<()> {
        if self.json {
            self.write(if self.empty { "[]\n" } else { "\n]\n" })?;
        }
        self.to.flush().context(WRITING)
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        self.to.write_all(text.as_bytes()).context(WRITING)
    }
}

const WRITING: &str = "writing to standard output";

/// What could not be read. The rest is worked on.
#[derive(Debug)]
pub struct Troubles {
    tool: &'static str,
    count: u64,
    /// The exit status of the first.
    status: u8,
}

impl Troubles {
    /// None yet, of the tool of that name.
    pub fn new(tool: &'static str) -> Self {
        Self { tool, count: 0, status: 0 }
    }

    /// Says what went wrong.
    pub fn add(&mut self, error: &anyhow::Error) {
        if self.count == 0 {
            self.status = exit::status(error);
        }
        self.count += 1;
        eprintln!("{}: {error:#}", self.tool);
    }

    /// Fails if anything went wrong, with the status of the first thing that did.
    ///
    /// # Errors
    /// If anything went wrong.
    pub fn finish(self) -> anyhow::Result<()> {
        match self.count {
            0 => Ok(()),
            count => {
                let what = if count == 1 { "file or directory" } else { "files or directories" };
                let message = format!("{count} {what} could not be read");
                Err(Failure::new(self.status, message).into())
            }
        }
    }
}
