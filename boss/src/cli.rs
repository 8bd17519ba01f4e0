//! The command line of `boss`.

pub mod image;

use std::io::{self, Write};

use serde_json::Value;

use crate::config::Config;
use crate::db::Database;
use crate::layout::Layout;

/// What every command works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The site's configuration.
    pub config: Config,
    /// The data base.
    pub db: Database,
    /// Where files are.
    pub layout: Layout,
    /// Whether programs read what is printed.
    pub json: bool,
}

impl Context {
    /// Prints a result: `value` for programs, or what `text` writes for people.
    ///
    /// # Errors
    /// If nobody takes it.
    pub fn print(
        &self,
        value: &Value,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{value:#}")?;
        } else {
            text(&mut out)?;
        }
        out.flush()
    }
}
