//! Who makes a version of an image has its lock.

use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinHandle;

use crate::db::Database;
use crate::files::token;
use crate::names::ImageId;

/// A run that doesn't renew the lock for so many seconds has lost it.
const LEASE: i64 = 120;
const RENEWAL: Duration = Duration::from_secs(30);

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
        ensure!(
            db.lock_image(image, &token, LEASE).await?,
            "somebody else is at work with {}/{}; try again when they are ready (what a crashed \
             run has locked is free after {LEASE} s)",
            image.pid,
            image.name
        );
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
