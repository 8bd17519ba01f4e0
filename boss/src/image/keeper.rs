//! What somebody wants of images; with the question who may.

use std::path::Path;
use std::sync::Arc;

use super::{Description, Images, Listed, no_image};
use crate::access::{Actor, Trust};
use crate::db::images::{Image, ImageUser};
use crate::error::{ErrorKind, Result};
use crate::names::ImageId;
use crate::server::Boss;

/// The images of this site, and who wants something of them.
#[derive(Clone, Debug)]
pub struct Keeper {
    images: Images,
    boss: Arc<Boss>,
    actor: Actor,
}

impl Keeper {
    /// For somebody.
    pub fn new(boss: &Arc<Boss>, actor: &Actor) -> Self {
        let images = Images::new(&boss.config, &boss.db);
        Self { images, boss: Arc::clone(boss), actor: actor.clone() }
    }

    /// A version of an image that the actor may know of; the newest, if none is named.
    ///
    /// # Errors
    /// `NotFound`
    pub async fn find(&self, id: &ImageId) -> Result<Image> {
        let image = self.boss.db.image(id).await?.ok_or_else(|| no_image(id))?;
        if self.actor.sees_image(&self.boss.db, &image).await? {
            Ok(image)
        } else {
            Err(no_image(id))
        }
    }

    /// All versions of all images that the actor may know of.
    ///
    /// # Errors
    /// If data base or files can't be read.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let mut seen = Vec::new();
        for image in self.boss.db.images().await? {
            if self.actor.sees_image(&self.boss.db, &image).await? {
                seen.push(self.images.look(image).await?);
            }
        }
        Ok(seen)
    }

    /// The same of one.
    ///
    /// # Errors
    /// If data base or files can't be read.
    pub async fn look(&self, image: Image) -> Result<Listed> {
        Ok(self.images.look(image).await?)
    }

    /// Who needs an image, as far as the actor may know of them, and how many others do.
    ///
    /// # Errors
    /// If data base or saved disks can't be read.
    pub async fn users(&self, image: &Image) -> Result<(Vec<ImageUser>, usize)> {
        self.visible(self.images.users(image).await?).await
    }

    /// The same without those whose saved disks need it, for which these would have to be read.
    ///
    /// # Errors
    /// If the data base can't be read.
    pub async fn known_users(&self, image: &Image) -> Result<(Vec<ImageUser>, usize)> {
        self.visible(self.boss.db.image_users(image).await?).await
    }

    async fn visible(&self, users: Vec<ImageUser>) -> Result<(Vec<ImageUser>, usize)> {
        let (db, mut seen, mut others) = (&self.boss.db, Vec::new(), 0);
        for user in users {
            let pid = match &user {
                ImageUser::Experiment(id) | ImageUser::Saved { experiment: id, .. } => {
                    Some(id.pid.clone())
                }
                ImageUser::Node(node) => {
                    db.reservation_of(node).await?.map(|held| held.experiment.pid)
                }
            };
            let may_know = match pid {
                Some(pid) => self.actor.sees(db, &pid).await?,
                None => self.actor.user.admin,
            };
            if may_know { seen.push(user) } else { others += 1 }
        }
        Ok((seen, others))
    }

    /// Whether the actor may sign and remove an image.
    ///
    /// # Errors
    /// If the data base can't be read.
    pub async fn keeps(&self, image: &Image) -> Result<bool> {
        Ok(self.actor.keeps_image(&self.boss.db, image).await?)
    }

    /// Whether the actor may have an image read: that is work for boss.
    ///
    /// # Errors
    /// If the data base can't be read.
    pub async fn verifies(&self, image: &Image) -> Result<bool> {
        let Some(gid) = image.gid() else { return Ok(self.actor.user.admin) };
        let trust = self.actor.trust(&self.boss.db, &image.pid, &gid).await?;
        Ok(trust >= Some(Trust::LocalRoot) || self.keeps(image).await?)
    }

    async fn kept(&self, id: &ImageId) -> Result<Image> {
        let image = self.find(id).await?;
        if self.keeps(&image).await? {
            return Ok(image);
        }
        Err(ErrorKind::Refused.because(format_args!(
            "{id} is for {}, who made it, and for those who lead the group that has it",
            image.creator
        )))
    }

    /// Begins to read an image: is it what it was? How it ended is known by [`Boss::jobs`].
    ///
    /// # Errors
    /// `NotFound`, `Refused`; `Conflict`: something is going on with it.
    pub async fn verify(&self, id: &ImageId) -> Result<()> {
        let image = self.find(id).await?;
        if !self.verifies(&image).await? {
            let why = "an image is read for those who have the trust local_root in its group, \
                       which whoever leads the project gives";
            return Err(ErrorKind::Refused.because(why));
        }
        let (images, id) = (self.images.clone(), image.id());
        self.boss.jobs.begin(&key(&id), &format!("Verifying {id}"), async move {
            let verified = images.verify(&id).await.map_err(|error| format!("{error:#}"))?;
            if verified.problems.is_empty() {
                return Ok(format!("{id} and its signature are what they were."));
            }
            Err(verified.problems.join("; "))
        })
    }

    /// Begins to make an image's signature. How it ended is known by [`Boss::jobs`].
    ///
    /// # Errors
    /// `NotFound`, `Refused`; `Conflict`: something is going on with it.
    pub async fn sign(&self, id: &ImageId) -> Result<()> {
        let image = self.kept(id).await?;
        let (images, id) = (self.images.clone(), image.id());
        self.boss.jobs.begin(&key(&id), &format!("Signing {id}"), async move {
            match images.sign(&image).await {
                Ok(_) => Ok(format!("{id} has a signature: disks loaded with it can be saved.")),
                Err(error) => Err(format!("{error:#}")),
            }
        })
    }

    /// Removes a version of an image that nobody needs.
    ///
    /// # Errors
    /// `Invalid`: no version is named; `NotFound`, `Refused`; `Conflict`: somebody needs it, or is at
    /// work with it.
    pub async fn remove(&self, id: &ImageId) -> Result<()> {
        let image = self.kept(id).await?;
        if let Some(job) = self.boss.jobs.find(&key(id)).filter(|job| job.ended.is_none()) {
            let why = format!("{} is going on; wait for its end", job.what);
            return Err(ErrorKind::Conflict.because(why));
        }
        // Not all that need it are for everybody to know.
        let (seen, others) = self.users(&image).await?;
        if others > 0 {
            let mut users: Vec<_> = seen.iter().map(ToString::to_string).collect();
            users.push(format!("{others} that you may not know of"));
            let why = format!("{id} is needed: {}", users.join("; "));
            return Err(ErrorKind::Conflict.because(why));
        }
        self.images.remove(id).await
    }

    /// Begins to copy a file of boss' machine, as the next version of an image. How it ended is known
    /// by [`Boss::jobs`].
    ///
    /// # Errors
    /// `Refused`: not an administrator; `NotFound`: no such project; `Conflict`: something is going on
    /// with that image.
    pub async fn import(&self, file: &Path, id: &ImageId, description: Description) -> Result<()> {
        self.actor.needs_admin()?;
        let db = &self.boss.db;
        if db.unix_gid(&id.pid, &description.gid).await?.is_none() {
            let why = format!("there is no group {} in a project {}", description.gid, id.pid);
            return Err(ErrorKind::NotFound.because(why));
        }
        let (images, id, file) = (self.images.clone(), id.clone(), file.to_owned());
        let key = key(&id);
        self.boss.jobs.begin(&key, &format!("Importing {id}"), async move {
            let made = images.import(&file, &id, &description).await;
            let made = made.map_err(|error| format!("{error:#}"))?;
            let id = made.image.id();
            match made.signature {
                Ok(_) => Ok(format!("{id} is there, with its signature.")),
                Err(why) => Err(format!("{id} is there, but has no signature: {why}")),
            }
        })
    }
}

/// What names an image among all that is going on.
pub fn key(id: &ImageId) -> String {
    format!("image {id}")
}
