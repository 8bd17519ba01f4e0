//! Files that must not stay when this process ends before they are finished.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The files of all guards.
static UNFINISHED: Mutex<Vec<Unfinished>> = Mutex::new(Vec::new());

/// A file, by its name and by what it is: another may have got its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unfinished {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Unfinished {
    fn remove(&self) {
        let same = fs::symlink_metadata(&self.path)
            .is_ok_and(|now| now.dev() == self.device && now.ino() == self.inode);
        if same {
            // Nothing can be done if this fails, and the file reads as incomplete.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a file when it is dropped, or when a signal ends the process ([`remove_all`]).
#[derive(Debug)]
pub(crate) struct Guard(Unfinished);

impl Guard {
    /// Guards the file that is at `path`.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        // The working directory may change, the file's name may not.
        let path = std::path::absolute(path)?;
        let metadata = fs::symlink_metadata(&path)?;
        let file = Unfinished { path, device: metadata.dev(), inode: metadata.ino() };
        all().push(file.clone());
        Ok(Self(file))
    }
}

impl Guard {
    /// The guarded file's name; absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// The file is finished and stays.
    pub(crate) fn disarm(self) {
        self.forget();
        // There is nothing left to remove.
        drop(self);
    }

    /// Takes the file from the list; whether it was there.
    fn forget(&self) -> bool {
        let mut all = all();
        let found = all.iter().position(|file| *file == self.0);
        found.map(|at| all.swap_remove(at)).is_some()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.forget() {
            self.0.remove();
        }
    }
}

/// Held while a file is made and gets its guard, and for ever once the process ends.
static MAKING: Mutex<()> = Mutex::new(());

/// Calls `make`, which makes a file and its guard: unless the process is about to end, which
/// must not find the file without the guard.
pub(crate) fn making<T>(make: impl FnOnce() -> T) -> T {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    make()
}

/// Removes all guarded files, and sees to it that there will be no others. For a process that is
/// about to end.
pub(crate) fn remove_all() {
    std::mem::forget(MAKING.lock().unwrap_or_else(PoisonError::into_inner));
    for file in all().drain(..) {
        file.remove();
    }
}

fn all() -> MutexGuard<'static, Vec<Unfinished>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}
