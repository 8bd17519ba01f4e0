//! The images of projects: they are imported or captured, signed, verified, listed, removed.
//!
//! A version of an image is a file that is never replaced. What is made gets its name when it is
//! complete, durable and found sound, and only then its row in the data base: a crash before that
//! leaves a file that nobody refers to. Whoever makes a version has the image's lock.

mod capture;
mod import;
mod keeper;
mod list;
mod lock;
mod publish;
mod remove;
mod sign;
mod sound;
mod verify;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

pub use capture::Capture;
pub(crate) use import::is_older;
pub use keeper::{Keeper, key};
pub use list::{Listed, SignatureState};
pub use sign::Resigned;
pub use verify::Verified;

use crate::config::Config;
use crate::db::Database;
use crate::db::images::{Image, ImageSignature};
use crate::error::{Error, ErrorKind};
use crate::files::{DIRECTORY_MODE, Directory, Owner};
use crate::layout::{Layout, Place};
use crate::names::{Gid, ImageId, Login, Pid};

/// All images, and what is needed to work with them.
#[derive(Clone, Debug)]
pub struct Images {
    db: Database,
    layout: Layout,
    tools: PathBuf,
}

/// What is said of a new version of an image.
#[derive(Clone, Debug)]
pub struct Description {
    /// The group in whose directory it is; the project's name, if of no subgroup.
    pub gid: Gid,
    /// Who makes it.
    pub creator: Login,
    /// The slice that it is loaded into; 0 is the whole disk.
    pub load_partition: u8,
    /// How many slices it covers.
    pub load_length: u8,
    /// The slice that boots.
    pub boot_partition: u8,
    /// Whether all projects may use it.
    pub global: bool,
}

/// A version that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The version.
    pub image: Image,
    /// Its signature, or why there is none: the image can be loaded, but no disk that was loaded
    /// from it can be saved before [`Images::sign_missing`] has made it one.
    pub signature: Result<ImageSignature, String>,
}

impl Images {
    /// The longest signature that is read: that of an image of a terabyte.
    pub(crate) const SIGNATURE_LIMIT: u64 = 1 << 29;

    /// The site's images.
    pub fn new(config: &Config, db: &Database) -> Self {
        Self {
            db: db.clone(),
            layout: Layout::new(config),
            tools: config.directories.tools.clone(),
        }
    }

    /// The version that is meant, or an error that says there is none.
    pub async fn find(&self, id: &ImageId) -> anyhow::Result<Image> {
        self.db.image(id).await?.with_context(|| no_image(id).to_string())
    }

    /// Whose the files of a group are that `login` makes.
    async fn owner(&self, pid: &Pid, gid: &Gid, login: &Login) -> anyhow::Result<Owner> {
        let user = self.db.user(login).await?;
        let user = user.with_context(|| format!("there is no user {login}"))?;
        let group = self.db.unix_gid(pid, gid).await?;
        let group = group.with_context(|| format!("there is no group {gid} in project {pid}"))?;
        Ok(Owner { uid: user.uid, gid: group })
    }
}

impl Description {
    /// Whether the slices make sense.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let (first, boot) = (self.load_partition, self.boot_partition);
        ensure!(first <= 4, "partition {first}: 1 to 4, or 0 for the whole disk");
        ensure!((1..=4).contains(&boot), "boot partition {boot}: 1 to 4");
        let end = first.saturating_add(self.load_length);
        ensure!(self.load_length > 0 && end <= 5, "{} slices from {first} on", self.load_length);
        ensure!(
            first == 0 || (first..end).contains(&boot),
            "the image has slices {first} to {}, and so can't be booted from {boot}",
            end.saturating_sub(1)
        );
        Ok(())
    }
}

/// There is none, or none that somebody may know of.
fn no_image(id: &ImageId) -> Error {
    ErrorKind::NotFound.because(format_args!(
        "there is no image {id}; the list of images (boss image list) has all"
    ))
}

/// A group's directories for images and for their signatures.
#[derive(Debug)]
struct Shelves {
    images: Directory,
    signatures: Directory,
}

impl Shelves {
    /// Opens them; makes those that aren't there.
    fn make(layout: &Layout, images: &Place, owner: Owner, global: bool) -> anyhow::Result<Self> {
        let Some(group) = images.here.parent() else { bail!("no directory for images") };
        let group = Directory::below(layout, group)
            .context("a group's directory is made when the group is")?;
        let images = group.make_or_open("images", owner, DIRECTORY_MODE)?;
        let signatures = images.make_or_open("sigs", owner, DIRECTORY_MODE)?;
        if global {
            // Others get through to what they may read, and see nothing else.
            group.allow(0o1)?;
            images.allow(0o5)?;
            signatures.allow(0o5)?;
        }
        Ok(Self { images, signatures })
    }
}

/// The directory that a file is in, and the file's name there.
fn place_of(layout: &Layout, node_path: &str) -> anyhow::Result<(Directory, String)> {
    let here = layout.here(Path::new(node_path));
    let here = here.with_context(|| format!("{node_path} is not below /proj or /groups"))?;
    match (here.parent(), here.file_name().and_then(|name| name.to_str())) {
        (Some(directory), Some(name)) => {
            Ok((Directory::below(layout, directory)?, name.to_owned()))
        }
        _ => bail!("{node_path} is no path of a file"),
    }
}

/// The name of the signature of the image in this file.
fn signature_file(image: &str) -> String {
    format!("{image}.sig")
}
