//! Who makes a version of an image has its lock.

use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinHandle;

use crate::db::Database;
use crate::error::{Error, ErrorKind};
use crate::files::token;
use crate::names::ImageId;

/// A run that doesn't renew the lock for so many seconds has lost it.
const LEASE: i64 = 120;
const RENEWAL: Duration = Duration::from_secs(30);

/// Somebody else has the lock.
#[derive(Debug, thiserror::Error)]
#[error(
    "somebody else is at work with {0}; try again when they are ready (what a crashed run has \
     locked is free after {LEASE} s)"
)]
pub(super) struct Locked(ImageId);

impl Locked {
    /// Of the kind that tells it from a failure.
    pub(super) fn as_conflict(error: anyhow::Error) -> Error {
        if error.is::<Self>() { ErrorKind::Conflict.because(error) } else { error.into() }
    }
}

/// The lock of an image; renewed until it is released or dropped.
pub(super) struct Lock {
    db: Database,
    image: ImageId,
    token: String,
    renewal: JoinHandle<()>,
}

impl Lock {
    /// Takes it.
    pub(super) async fn take(db: &Database, image: &ImageId) -> anyhow::Result<Self> {
        let token = token();
        if !db.lock_image(image, &token, LEASE).await? {
            return Err(Locked(ImageId { version: None, ..image.clone() }).into());
        }
        let (renewing, id, holder) = (db.clone(), image.clone(), token.clone());
        let renewal = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEWAL).await;
                // If it is lost, `confirm` says so.
                let _ = renewing.lock_image(&id, &holder, LEASE).await;
            }
        });
        Ok(Self { db: db.clone(), image: image.clone(), token, renewal })
    }

    /// Who has it: a name that nobody else has.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether it still is ours, for long enough to give files their names.
    pub(super) async fn confirm(&self) -> anyhow::Result<()> {
        ensure!(
            self.db.lock_image(&self.image, &self.token, LEASE).await?,
            "the lock of {} was lost to somebody else; nothing was changed, try again",
            self.image
        );
        Ok(())
    }

    /// Gives it back.
    pub(super) async fn release(self) {
        self.renewal.abort();
        if let Err(error) = self.db.unlock_image(&self.image, &self.token).await {
            tracing::warn!("the lock of {} ends by itself: {error}", self.image);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
