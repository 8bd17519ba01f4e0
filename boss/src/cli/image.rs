//! `boss image`: images and their signatures.
#![allow(rustdoc::invalid_html_tags, reason = "clap shows these texts as they are")]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use crate::db::images::Image;
use crate::error::Result;
use crate::image::{Description, Images, Keeper, Listed, Made};
use crate::names::{Gid, ImageId, Login, NodeId};

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an image of a node's disk, as the next version of an image, with its signature
    Create(Create),
    /// Copy an image file into a project, as the next version of an image, and sign it
    Import(Import),
    /// Show all images
    List,
    /// Read images and signatures: are they what they were?
    Verify {
        /// The images, as <project>/<image> or <project>/<image>:<version>; all, if none is named
        images: Vec<ImageId>,
    },
    /// Remove a version of an image that nobody needs
    Rm {
        /// The version, as <project>/<image>:<version>
        image: ImageId,
    },
    /// Make the signatures that are missing
    SignMissing,
}

/// Copy an image file into a project.
#[derive(Debug, Args)]
pub struct Import {
    /// The image file
    pub file: PathBuf,
    /// What it is to be called, as <project>/<image>
    pub image: ImageId,
    /// What is said of it.
    #[command(flatten)]
    pub slices: Slices,
    /// In whose name; by default the project's head
    #[arg(long, value_name = "LOGIN")]
    pub creator: Option<Login>,
}

/// Make an image of a node's disk.
#[derive(Debug, Args)]
pub struct Create {
    /// What it is to be called, as <project>/<image>
    pub image: ImageId,
    /// The node
    #[arg(long, value_name = "NODE")]
    pub node: NodeId,
    /// What is said of it.
    #[command(flatten)]
    pub slices: Slices,
    /// Don't wait until it is made
    #[arg(long)]
    pub detach: bool,
}

/// Which slices an image has, and who may use it.
#[derive(Debug, Args)]
pub struct Slices {
    /// The slice that the image is of; 0 is the whole disk
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub partition: u8,
    /// How many slices it covers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub length: u8,
    /// The slice that boots; by default the image's, or 1
    #[arg(long, value_name = "N")]
    pub boot_partition: Option<u8>,
    /// Every project may use it
    #[arg(long)]
    pub global: bool,
    /// The subgroup in whose directory it is
    #[arg(long, value_name = "GROUP")]
    pub group: Option<Gid>,
}

impl Slices {
    /// What is said of an image of this name, that `creator` makes.
    ///
    /// # Errors
    /// None, with the names that there are.
    pub fn describe(&self, image: &ImageId, creator: Login) -> anyhow::Result<Description> {
        let gid = self.group.clone().map_or_else(|| image.pid.as_str().parse(), Ok)?;
        Ok(Description {
            gid,
            creator,
            load_partition: self.partition,
            load_length: self.length,
            boot_partition: self.boot_partition.unwrap_or(self.partition.max(1)),
            global: self.global,
        })
    }
}

/// Runs a command.
///
/// # Errors
/// If it fails, also if only one of several images is not as it should be.
pub async fn run(context: &Context, command: Command) -> Result<()> {
    let images = Images::new(&context.config, &context.db);
    match command {
        Command::Import(import) => Ok(run_import(context, &images, import).await?),
        // A node has to work for it (`super::capture`).
        Command::Create(_) => Ok(()),
        Command::List => Ok(list(context, &images).await?),
        Command::Verify { images: wanted } => Ok(verify(context, &images, wanted).await?),
        Command::Rm { image } => {
            let (boss, actor) = (Arc::new(context.boss()), context.unnamed().await?);
            Keeper::new(&boss, &actor).remove(&image).await?;
            let value = json!({ "removed": image.to_string() });
            Ok(context.print(&value, |out| writeln!(out, "{image} is removed"))?)
        }
        Command::SignMissing => Ok(sign_missing(context, &images).await?),
    }
}

async fn run_import(context: &Context, images: &Images, import: Import) -> anyhow::Result<()> {
    let pid = &import.image.pid;
    let project = context.db.project(pid).await?;
    let project = project.with_context(|| format!("there is no project {pid}"))?;
    let creator = import.creator.unwrap_or(project.head);
    let description = import.slices.describe(&import.image, creator)?;
    let made = images.import(&import.file, &import.image, &description).await?;
    print_made(context, &made)
}

/// Says what was made; for `create`, too.
///
/// # Errors
/// If nobody takes it.
pub fn print_made(context: &Context, made: &Made) -> anyhow::Result<()> {
    let mut value = describe(&made.image);
    value["signature"] = match &made.signature {
        Ok(row) => json!({ "path": row.path, "bytes": row.bytes, "sha256": row.sha256 }),
        Err(reason) => json!({ "error": reason }),
    };
    context.print(&value, |out| {
        let image = &made.image;
        writeln!(out, "{}: {}, {} bytes", image.id(), image.path, image.bytes)?;
        match &made.signature {
            Ok(_) => Ok(()),
            Err(reason) => writeln!(
                out,
                "no signature: {reason}\nthe image can be loaded, but no such disk can be saved; \
                 `boss image sign-missing` tries again"
            ),
        }
    })?;
    Ok(())
}

async fn list(context: &Context, images: &Images) -> anyhow::Result<()> {
    let listed = images.list().await?;
    let value = Value::Array(listed.iter().map(describe_listed).collect());
    context.print(&value, |out| {
        for Listed { image, is_there, signature, .. } in &listed {
            let slices = match image.load_partition {
                0 => "disk".to_owned(),
                first => format!("partition {first}"),
            };
            let state = match (is_there, image.stale) {
                (false, _) => "gone",
                (true, true) => "stale",
                (true, false) => "newest",
            };
            let (id, bytes, signature) = (image.id(), image.bytes, signature.name());
            writeln!(out, "{id:<32} {bytes:>14} {slices:<12} {state:<7} signature {signature}")?;
        }
        Ok(())
    })?;
    Ok(())
}

async fn verify(context: &Context, images: &Images, wanted: Vec<ImageId>) -> anyhow::Result<()> {
    let wanted = if wanted.is_empty() {
        context.db.images().await?.iter().map(Image::id).collect()
    } else {
        wanted
    };
    let mut found = Vec::new();
    for id in &wanted {
        found.push(images.verify(id).await?);
    }
    let value = found.iter().map(|verified| {
        json!({ "image": verified.image.id().to_string(), "problems": verified.problems })
    });
    context.print(&Value::Array(value.collect()), |out| {
        for verified in &found {
            let id = verified.image.id();
            if verified.problems.is_empty() {
                writeln!(out, "{id}: good")?;
            }
            for problem in &verified.problems {
                writeln!(out, "{id}: {problem}")?;
            }
        }
        Ok(())
    })?;
    let bad = found.iter().filter(|verified| !verified.problems.is_empty()).count();
    ensure!(bad == 0, "{bad} of {} images are not as they should be", found.len());
    Ok(())
}

async fn sign_missing(context: &Context, images: &Images) -> anyhow::Result<()> {
    let resigned = images.sign_missing().await?;
    let value = resigned.iter().map(|one| match &one.result {
        Ok(row) => json!({ "image": one.image.to_string(), "sha256": row.sha256 }),
        Err(error) => json!({ "image": one.image.to_string(), "error": format!("{error:#}") }),
    });
    context.print(&Value::Array(value.collect()), |out| {
        for one in &resigned {
            match &one.result {
                Ok(row) => writeln!(out, "{}: {}", one.image, row.path)?,
                Err(error) => writeln!(out, "{}: {error:#}", one.image)?,
            }
        }
        Ok(())
    })?;
    let failed = resigned.iter().filter(|one| one.result.is_err()).count();
    ensure!(failed == 0, "{failed} of {} signatures were not made", resigned.len());
    Ok(())
}

fn describe(image: &Image) -> Value {
    json!({
        "image": image.id().to_string(),
        "path": image.path,
        "bytes": image.bytes,
        "sha256": image.sha256,
        "load_partition": image.load_partition,
        "load_length": image.load_length,
        "boot_partition": image.boot_partition,
        "creator": image.creator.to_string(),
        "created_at": image.created_at,
        "global": image.global,
        "stale": image.stale,
    })
}

fn describe_listed(listed: &Listed) -> Value {
    let mut value = describe(&listed.image);
    value["is_there"] = json!(listed.is_there);
    value["signature"] = json!(listed.signature.name());
    value
}
