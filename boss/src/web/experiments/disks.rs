//! The saved disks of an experiment.

use crate::swapinfo::{DiskState, Saved, SavedDisk};
use crate::web::page::{Page, size};
use crate::web::zone::Time;

/// A sector of `.meta`'s counts, whatever the disk's is.
pub(super) const SECTOR: u64 = 512;

/// A saved disk as a page shows it.
pub(super) struct Disk {
    pub(super) vname: String,
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    /// Why it can't be used.
    pub(super) why: String,
    pub(super) facts: Option<Facts>,
}

/// What its description says.
pub(super) struct Facts {
    pub(super) size: String,
    /// In bytes of the disk: what differs from the base, or what is in use.
    pub(super) changed: String,
    pub(super) at: Time,
    pub(super) base: String,
}

impl Disk {
    pub(super) fn of(disk: &SavedDisk, page: &Page) -> Self {
        let (class, state, why, facts) = match &disk.state {
            DiskState::Current(saved) => ("good", "current", "", Some(facts(saved, page))),
            DiskState::Stale(meta) => {
                let why = "It was put aside when another image was loaded, and isn't used any \
                           more. The next one that is put aside replaces it.";
                let saved = Saved { meta: meta.as_ref().clone(), base: None };
                ("warn", "stale", why, Some(facts(&saved, page)))
            }
            DiskState::Unreadable(why) => ("bad", "can't be used", why.as_str(), None),
        };
        Self { vname: disk.vname.to_string(), class, state, why: why.to_owned(), facts }
    }

    /// Whether there is a page that shows what it holds.
    pub(super) fn has_page(&self) -> bool {
        self.state == "current"
    }
}

fn facts(saved: &Saved, page: &Page) -> Facts {
    let Saved { meta, base } = saved;
    let base = match (base, &meta.base) {
        (Some(image), _) => image.id().to_string(),
        (None, Some(base)) => base.name.clone(),
        (None, None) => "none: all that is in use".to_owned(),
    };
    Facts {
        size: size(meta.image_size),
        changed: size(meta.sectors_changed.saturating_mul(SECTOR)),
        at: page.time(i64::try_from(meta.created).unwrap_or(i64::MAX)),
        base,
    }
}
