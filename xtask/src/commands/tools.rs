//! `cargo xtask tools`: the command-line tools.

use anyhow::Result;
use clap::Args;
use imagezip_tools::commands::TOOLS;
use xtask::tools;

/// Builds the image tools, static, with manual pages and completions, into target/tools.
#[derive(Debug, Args)]
pub(crate) struct Tools {}

impl Tools {
    #[expect(clippy::unused_self, reason = "as the other commands")]
    pub(crate) fn run(self) -> Result<()> {
        let built = tools::build()?;
        let names: Vec<_> = TOOLS.iter().map(|tool| tool.name).collect();
        println!("tools      {}", names.join(" "));
        println!(
            "size       {} KiB, one static program under all names",
            built.bytes.div_ceil(1024)
        );
        println!("in         {}", built.directory.display());
        println!("manual     man -l {}/share/man/man1/imagezip.1", built.directory.display());
        Ok(())
    }
}
