//! `boss sitevar`: site variables.

use clap::Subcommand;

use super::Context;
use crate::error::Result;
use crate::sitevar;
use crate::view::Sitevar;

/// What can be done with site variables.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show all, with what counts
    List,
    /// Show what counts of one
    Get {
        /// Such as `swap/swapout_command`
        name: String,
    },
    /// Set one; an empty text is a value, too
    Set {
        /// Such as `swap/swapout_command`
        name: String,
        /// What it is to be
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Have the default count again
    Unset {
        /// Such as `swap/swapout_command`
        name: String,
    },
}

/// Runs a command.
pub(super) async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::List => list(context).await,
        Command::Get { name } => {
            let value = context.db.sitevar(&name).await?.ok_or_else(|| sitevar::none(&name))?;
            context.show(&value, |out| writeln!(out, "{value}"))
        }
        Command::Set { name, value } => {
            let actor = context.unnamed().await?;
            sitevar::set(&context.db, &actor, &name, Some(&value)).await?;
            context.done(&format!("{name} is {value:?}"))
        }
        Command::Unset { name } => {
            let actor = context.unnamed().await?;
            sitevar::set(&context.db, &actor, &name, None).await?;
            context.done(&format!("the default of {name} counts"))
        }
    }
}

async fn list(context: &Context) -> Result<()> {
    let all: Vec<_> = context.db.sitevars().await?.into_iter().map(Sitevar::from).collect();
    context.show(&all, |out| {
        for Sitevar { name, value, default_value, description } in &all {
            let set = value.as_ref().map_or("default", |_| "set");
            let counts = value.as_ref().unwrap_or(default_value);
            writeln!(out, "{name} = {counts:?} ({set})\n    {description}")?;
        }
        Ok(())
    })
}
