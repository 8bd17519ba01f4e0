//! What a node's files say: its heartbeat, and whether what it has written is whole.
//!
//! Users can write where these files are, and boss is root: [`Directory`] sees to it that only plain
//! files in that very directory are read.

use std::path::Path;
use std::sync::Arc;

use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::{Meta, Status, TEXT_LIMIT};

use super::{Job, machine::ActionError};
use crate::db::swaps::{Progress, Run};
use crate::files::{Directory, blocking, digest};
use crate::layout::Layout;
use crate::server::Boss;

/// What a node's files say at the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// The status file.
    pub(super) status: Option<Vec<u8>>,
    /// What it says of progress.
    pub(super) progress: Option<Progress>,
    /// The error that it says the run ended with.
    pub(super) error: Option<String>,
    /// Whether there is nothing more to be waited for of that.
    pub(super) has_error_or_never: bool,
}

/// Reads what there is.
pub(super) async fn look(boss: Arc<Boss>, run: Run) -> Heard {
    blocking(move || heard(&open(&boss.layout, &run)?, run.vname.as_str()))
        .await
        .unwrap_or_default()
}

fn heard(directory: &Directory, vname: &str) -> anyhow::Result<Heard> {
    let status = read_small(directory, &format!("{vname}-swap.status"))?;
    let parsed = status.as_deref().and_then(|bytes| Status::parse(bytes).ok());
    let Some(parsed) = parsed else {
        // Another MFS than ours: its image grows.
        let progress = size(directory, vname)?.map(|written| Progress {
            phase: "save".to_owned(),
            written,
            ..Progress::default()
        });
        return Ok(Heard { status, progress, ..Heard::default() });
    };
    let Status { phase, scanned, total, changed, written, error, .. } = parsed;
    let progress = Progress { phase: phase.name().to_owned(), scanned, total, changed, written };
    Ok(Heard { status, progress: Some(progress), error, ..Heard::default() })
}

/// The size of the image that is being written.
fn size(directory: &Directory, vname: &str) -> anyhow::Result<Option<u64>> {
    for name in [format!("{vname}-swap.ndz.tmp"), format!("{vname}-swap.ndz")] {
        if let Some(file) = directory.file(&name)? {
            return Ok(Some(file.metadata()?.len()));
        }
    }
    Ok(None)
}

/// The directory of a run.
pub(super) fn open(layout: &Layout, run: &Run) -> anyhow::Result<Directory> {
    let here = layout.here(Path::new(&run.directory));
    let here =
        here.ok_or_else(|| anyhow::anyhow!("{} is no place for its files", run.directory))?;
    Directory::below(layout, &here)
}

/// A file of a few kilobytes, if it is there.
fn read_small(directory: &Directory, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    directory.read(name, u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX))
}

/// SHA-256 of the `.meta` that a node has left, in hexadecimal; empty without one.
pub(super) async fn meta_digest(layout: &Layout, directory: &Path, vname: &str) -> String {
    let (layout, directory) = (layout.clone(), directory.to_owned());
    let name = format!("{vname}-swap.meta");
    let read = blocking(move || read_small(&Directory::below(&layout, &directory)?, &name)).await;
    match read {
        Ok(Some(bytes)) => Sha256::of(&bytes).to_string(),
        _ => String::new(),
    }
}

/// Looks whether what a node says to have done is there: whole, new, and its own.
///
/// # Errors
/// What is wrong, for good; or that it can't be read now.
pub(super) async fn check(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    let (layout, run) = (boss.layout.clone(), run.clone());
    let work = move || {
        let directory = open(&layout, &run)?;
        Ok(match run.job {
            Job::Swapout | Job::Capture => check_saved(&directory, &run),
            Job::Swapin | Job::Load => check_loaded(&directory, &run),
        })
    };
    match blocking(work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Wrong::Found(why))) => Err(ActionError { why, is_final: true }),
        Ok(Err(Wrong::NotYet(why))) => Err(ActionError { why, is_final: false }),
        Err(error) => Err(ActionError { why: format!("{error:#}"), is_final: false }),
    }
}

/// Why what a node has done is not counted.
enum Wrong {
    /// It isn't what the node says.
    Found(String),
    /// It may be, in a moment.
    NotYet(String),
}

impl From<anyhow::Error> for Wrong {
    fn from(error: anyhow::Error) -> Self {
        Self::NotYet(format!("{error:#}"))
    }
}

/// The last status must be that of a success.
fn check_loaded(directory: &Directory, run: &Run) -> Result<(), Wrong> {
    let name = format!("{}-swap.status", run.vname);
    let bytes = read_small(directory, &name)?;
    let bytes = bytes.ok_or_else(|| Wrong::NotYet(format!("{name} is not there")))?;
    let status = Status::parse(&bytes).map_err(|error| Wrong::Found(format!("{name}: {error}")))?;
    match status.result {
        Some(0) => Ok(()),
        // It follows within seconds.
        None => Err(Wrong::NotYet(format!("the node says that it is ready, but {name} does not"))),
        Some(code) => Err(Wrong::Found(format!("{name} says that the node failed with {code}"))),
    }
}

fn check_saved(directory: &Directory, run: &Run) -> Result<(), Wrong> {
    let vname = &run.vname;
    let name = format!("{vname}-swap.meta");
    let bytes = read_small(directory, &name)?;
    let bytes = bytes.ok_or_else(|| {
        Wrong::Found(format!("the node says that it is ready, but there is no {name}"))
    })?;
    if Sha256::of(&bytes).to_string() == run.meta_before {
        return Err(Wrong::Found(format!(
            "the node says that it is ready, but {name} is what it was before"
        )));
    }
    let meta = Meta::parse(&bytes).map_err(|error| Wrong::Found(format!("{name}: {error}")))?;
    let is_own = |pid: &str| run.directory.split('/').any(|part| part == pid);
    if meta.vname != vname.as_str() || !is_own(&meta.pid) {
        let Meta { pid, eid, vname, .. } = &meta;
        return Err(Wrong::Found(format!("what is there is of {vname} in {pid}/{eid}")));
    }
    let image = (format!("{vname}-swap.ndz"), Some(meta.image_sha256), Some(meta.image_size));
    let signature = (format!("{vname}-swap.sig"), meta.signature_sha256, None);
    for (name, expected, size) in [image, signature] {
        let Some(expected) = expected else { continue };
        let file = directory.file(&name)?;
        let file = file.ok_or_else(|| Wrong::Found(format!("there is no {name}")))?;
        let found = digest(&file).map_err(anyhow::Error::from)?;
        if size.is_some_and(|size| size != found.bytes) {
            let (found, size) = (found.bytes, size.unwrap_or_default());
            let why = format!("{name} has {found} bytes, not the {size} of its .meta");
            return Err(Wrong::Found(why));
        }
        if found.sha256 != Sha256(expected) {
            return Err(Wrong::Found(format!("{name} is not what its .meta says")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_nodes_say_of_progress() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        let heard = || heard(&Directory::trusted(scratch.path()).unwrap(), "a");
        assert_eq!(heard().unwrap().progress, None);
        // Another MFS than ours: only its image can be seen, which grows.
        for bytes in [1000, 3000] {
            fs::write(at("a-swap.ndz"), vec![0; bytes]).unwrap();
            let progress = heard().unwrap().progress.unwrap();
            assert_eq!((progress.phase.as_str(), progress.written), ("save", bytes as u64));
        }
        fs::write(at("a-swap.ndz.tmp"), "new").unwrap();
        assert_eq!(heard().unwrap().progress.unwrap().written, 3);
        // A status says more, if it is one.
        fs::write(at("a-swap.status"), "PHASE=").unwrap();
        assert_eq!(heard().unwrap().progress.unwrap().written, 3);
        let status = Status { scanned: 7, total: 9, written: 5, ..Status::default() };
        fs::write(at("a-swap.status"), status.to_string()).unwrap();
        let progress = heard().unwrap().progress.unwrap();
        assert_eq!((progress.scanned, progress.total, progress.written), (7, 9, 5));
        // What a user puts in its place is not read.
        fs::remove_file(at("a-swap.status")).unwrap();
        symlink("/etc/passwd", at("a-swap.status")).unwrap();
        assert!(heard().is_err());
        fs::remove_file(at("a-swap.status")).unwrap();
        fs::write(at("a-swap.status"), vec![b'X'; 1 << 20]).unwrap();
        assert!(heard().is_err());
    }
}
