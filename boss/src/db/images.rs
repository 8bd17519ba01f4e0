//! Images, their versions and signatures.

use std::fmt;

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row};

use super::{Database, corrupt, now, number, parse};
use crate::names::{ExperimentId, Gid, ImageId, ImageName, Login, NodeId, Pid};

/// A version of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The project that owns it.
    pub pid: Pid,
    /// Its name.
    pub name: ImageName,
    /// Counts from 0.
    pub version: u32,
    /// The file as nodes see it, below `/proj` or `/groups`.
    pub path: String,
    /// The slice that it is loaded into; 0 is the whole disk.
    pub load_partition: u8,
    /// How many slices it covers.
    pub load_length: u8,
    /// The slice that boots.
    pub boot_partition: u8,
    /// The size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Who made it.
    pub creator: Login,
    /// When.
    pub created_at: i64,
    /// Whether all projects may use it.
    pub global: bool,
    /// Whether a newer version is there, or the file isn't what it was.
    pub stale: bool,
}

/// The signature of a version of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSignature {
    /// The file as nodes see it.
    pub path: String,
    /// The size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// SHA-256 of the image that it was made of.
    pub image_sha256: String,
    /// When it was made.
    pub created_at: i64,
}

/// What needs a version of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageUser {
    /// A node that was loaded with it.
    Node(NodeId),
    /// An experiment that asks for it.
    Experiment(ExperimentId),
    /// An experiment that has a disk that was saved with it, or nobody knows with what.
    Saved {
        /// The experiment.
        experiment: ExperimentId,
        /// The saved disk's file.
        file: String,
        /// Why nobody knows, if so.
        doubt: Option<String>,
    },
}

impl fmt::Display for ImageUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node} was loaded with it"),
            Self::Experiment(id) => write!(f, "experiment {id} asks for it"),
            Self::Saved { experiment, file, doubt } => {
                write!(f, "{file} of {experiment} was saved with it")?;
                doubt.as_ref().map_or(Ok(()), |doubt| write!(f, " ({doubt})"))
            }
        }
    }
}

impl Image {
    /// What it is called, with its version.
    pub fn id(&self) -> ImageId {
        ImageId { pid: self.pid.clone(), name: self.name.clone(), version: Some(self.version) }
    }

    /// The group in whose directory it is; the project's name, if of no subgroup.
    pub fn gid(&self) -> Option<Gid> {
        let mut parts = self.path.split('/').skip(1);
        let (root, pid, gid) = (parts.next()?, parts.next()?, parts.next()?);
        let name = if root == "groups" { gid } else { pid };
        (pid == self.pid.as_str()).then(|| name.parse().ok()).flatten()
    }
}

impl FromRow<'_, AnyRow> for Image {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            pid: parse(row.try_get("pid")?)?,
            name: parse(row.try_get("name")?)?,
            version: number(row.try_get("version")?)?,
            path: row.try_get("path")?,
            load_partition: number(row.try_get("load_partition")?)?,
            load_length: number(row.try_get("load_length")?)?,
            boot_partition: number(row.try_get("boot_partition")?)?,
            bytes: number(row.try_get("bytes")?)?,
            sha256: row.try_get("sha256")?,
            creator: parse(row.try_get("creator")?)?,
            created_at: row.try_get("created_at")?,
            global: row.try_get::<i64, _>("global")? != 0,
            stale: row.try_get::<i64, _>("stale")? != 0,
        })
    }
}

impl FromRow<'_, AnyRow> for ImageSignature {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            path: row.try_get("path")?,
            bytes: number(row.try_get("bytes")?)?,
            sha256: row.try_get("sha256")?,
            image_sha256: row.try_get("image_sha256")?,
            created_at: row.try_get("created_at")?,
        })
    }
}

impl Database {
    /// Adds a version of an image; older versions become stale.
    pub async fn add_image(&self, image: &Image) -> sqlx::Result<()> {
        let mut changes = self.begin().await?;
        sqlx::query("UPDATE images SET stale = 1 WHERE pid = $1 AND name = $2")
            .bind(image.pid.as_str())
            .bind(image.name.as_str())
            .execute(&mut *changes)
            .await?;
        sqlx::query(
            "INSERT INTO images (pid, name, version, path, load_partition, load_length, \
             boot_partition, bytes, sha256, creator, created_at, global) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(image.pid.as_str())
        .bind(image.name.as_str())
        .bind(i64::from(image.version))
        .bind(image.path.as_str())
        .bind(i64::from(image.load_partition))
        .bind(i64::from(image.load_length))
        .bind(i64::from(image.boot_partition))
        .bind(i64::try_from(image.bytes).map_err(corrupt)?)
        .bind(image.sha256.as_str())
        .bind(image.creator.as_str())
        .bind(image.created_at)
        .bind(i64::from(image.global))
        .execute(&mut *changes)
        .await?;
        changes.commit().await
    }

    /// A version of an image; the newest, if none is named.
    pub async fn image(&self, id: &ImageId) -> sqlx::Result<Option<Image>> {
        let newest = i64::from(id.version.is_none());
        sqlx::query_as(
            "SELECT * FROM images WHERE pid = $1 AND name = $2 AND (version = $3 OR $4 = 1) \
             ORDER BY version DESC LIMIT 1",
        )
        .bind(id.pid.as_str())
        .bind(id.name.as_str())
        .bind(i64::from(id.version.unwrap_or_default()))
        .bind(newest)
        .fetch_optional(self.pool())
        .await
    }

    /// All versions of all images.
    pub async fn images(&self) -> sqlx::Result<Vec<Image>> {
        let query = "SELECT * FROM images ORDER BY pid, name, version";
        sqlx::query_as(query).fetch_all(self.pool()).await
    }

    /// Forgets a version of an image, and its signature; false if there was none.
    pub async fn remove_image(&self, id: &ImageId) -> sqlx::Result<bool> {
        let version = id.version.ok_or_else(|| corrupt("no image without a version"))?;
        let query = "DELETE FROM images WHERE pid = $1 AND name = $2 AND version = $3";
        let done = sqlx::query(query)
            .bind(id.pid.as_str())
            .bind(id.name.as_str())
            .bind(i64::from(version))
            .execute(self.pool())
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The signature of a version of an image, if there is one.
    pub async fn image_signature(&self, image: &Image) -> sqlx::Result<Option<ImageSignature>> {
        sqlx::query_as(
            "SELECT * FROM image_signatures WHERE pid = $1 AND name = $2 AND version = $3",
        )
        .bind(image.pid.as_str())
        .bind(image.name.as_str())
        .bind(i64::from(image.version))
        .fetch_optional(self.pool())
        .await
    }

    /// Notes the signature of a version of an image, in place of an earlier one.
    pub async fn set_image_signature(
        &self,
        image: &Image,
        signature: &ImageSignature,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO image_signatures (pid, name, version, path, bytes, sha256, image_sha256, \
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (pid, name, version) DO UPDATE SET path = excluded.path, \
             bytes = excluded.bytes, sha256 = excluded.sha256, \
             image_sha256 = excluded.image_sha256, created_at = excluded.created_at",
        )
        .bind(image.pid.as_str())
        .bind(image.name.as_str())
        .bind(i64::from(image.version))
        .bind(signature.path.as_str())
        .bind(i64::try_from(signature.bytes).map_err(corrupt)?)
        .bind(signature.sha256.as_str())
        .bind(signature.image_sha256.as_str())
        .bind(signature.created_at)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Notes that the file of an image isn't what it was.
    pub async fn mark_image_stale(&self, image: &Image) -> sqlx::Result<()> {
        let query = "UPDATE images SET stale = 1 WHERE pid = $1 AND name = $2 AND version = $3";
        sqlx::query(query)
            .bind(image.pid.as_str())
            .bind(image.name.as_str())
            .bind(i64::from(image.version))
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Images by the digest of their file, or of their signature; newest first.
    pub async fn images_by_digest(
        &self,
        sha256: &str,
        signature_sha256: &str,
    ) -> sqlx::Result<Vec<Image>> {
        sqlx::query_as(
            "SELECT * FROM images WHERE sha256 = $1 OR EXISTS (SELECT 1 FROM image_signatures s \
             WHERE s.pid = images.pid AND s.name = images.name AND s.version = images.version \
             AND s.sha256 = $2 AND s.image_sha256 = images.sha256) \
             ORDER BY created_at DESC, pid, name, version DESC",
        )
        .bind(sha256)
        .bind(signature_sha256)
        .fetch_all(self.pool())
        .await
    }

    /// Who needs a version of an image: nodes that were loaded with it, and experiments that ask
    /// for it, also those that ask for the newest if it is the only one.
    pub async fn image_users(&self, image: &Image) -> sqlx::Result<Vec<ImageUser>> {
        let nodes: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT node_id FROM partitions WHERE image_pid = $1 AND image_name = $2 \
             AND image_version = $3 ORDER BY node_id",
        )
        .bind(image.pid.as_str())
        .bind(image.name.as_str())
        .bind(i64::from(image.version))
        .fetch_all(self.pool())
        .await?;
        let experiments: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT pid || '/' || eid AS id FROM experiment_nodes WHERE image_pid = $1 \
             AND image_name = $2 AND (image_version = $3 OR (image_version IS NULL AND NOT EXISTS \
             (SELECT 1 FROM images WHERE pid = $1 AND name = $2 AND version <> $3))) ORDER BY id",
        )
        .bind(image.pid.as_str())
        .bind(image.name.as_str())
        .bind(i64::from(image.version))
        .fetch_all(self.pool())
        .await?;
        let mut users = Vec::new();
        for node in &nodes {
            users.push(ImageUser::Node(parse(node)?));
        }
        for id in &experiments {
            users.push(ImageUser::Experiment(parse(id)?));
        }
        Ok(users)
    }

    /// Forgets a version of an image and its signature, if no node was loaded with it and no
    /// experiment asks for it by its version; false if it is still there.
    pub async fn remove_unused_image(&self, image: &Image) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "DELETE FROM images WHERE pid = $1 AND name = $2 AND version = $3 \
             AND NOT EXISTS (SELECT 1 FROM partitions WHERE image_pid = $1 AND image_name = $2 \
             AND image_version = $3) AND NOT EXISTS (SELECT 1 FROM experiment_nodes \
             WHERE image_pid = $1 AND image_name = $2 AND image_version = $3)",
        )
        .bind(image.pid.as_str())
        .bind(image.name.as_str())
        .bind(i64::from(image.version))
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Who holds locks of images.
    pub async fn image_lock_holders(&self) -> sqlx::Result<Vec<String>> {
        let query = sqlx::query_scalar("SELECT holder FROM image_locks WHERE expires_at >= $1");
        query.bind(now()).fetch_all(self.pool()).await
    }

    /// Takes the lock of an image for `holder` for so many seconds, or makes it last longer; false
    /// if somebody else has it.
    pub async fn lock_image(&self, id: &ImageId, holder: &str, seconds: i64) -> sqlx::Result<bool> {
        let done = sqlx::query(
            "INSERT INTO image_locks (pid, name, holder, expires_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (pid, name) DO UPDATE SET holder = excluded.holder, \
             expires_at = excluded.expires_at \
             WHERE image_locks.holder = excluded.holder OR image_locks.expires_at < $5",
        )
        .bind(id.pid.as_str())
        .bind(id.name.as_str())
        .bind(holder)
        .bind(now().saturating_add(seconds))
        .bind(now())
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives the lock of an image back.
    pub async fn unlock_image(&self, id: &ImageId, holder: &str) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM image_locks WHERE pid = $1 AND name = $2 AND holder = $3")
            .bind(id.pid.as_str())
            .bind(id.name.as_str())
            .bind(holder)
            .execute(self.pool())
            .await?;
        Ok(())
    }
}
