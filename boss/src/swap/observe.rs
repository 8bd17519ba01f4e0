//! What a node's files say: its heartbeat, and whether what it has written is whole.
//!
//! Users can write where these files are, and boss is root: links are not followed, nothing but
//! plain files is opened, and no more is read than such a file can have.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use imagezip_core::swapinfo::{Meta, Status, TEXT_LIMIT};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::{Job, machine::ActionError};
use crate::db::swaps::{Progress, Run};
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
}

/// Reads what there is.
pub(super) async fn look(boss: Arc<Boss>, run: Run) -> Heard {
    let Some(directory) = boss.layout.here(Path::new(&run.directory)) else {
        return Heard::default();
    };
    let vname = run.vname.as_str().to_owned();
    let look = move || heard(&directory, &vname);
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

fn heard(directory: &Path, vname: &str) -> Heard {
    let status = read_small(&directory.join(format!("{vname}-swap.status"))).ok();
    let parsed = status.as_deref().and_then(|bytes| Status::parse(bytes).ok());
    let Some(parsed) = parsed else {
        // Another MFS than ours: its image grows.
        let progress = size(directory, vname).map(|written| Progress {
            phase: "save".to_owned(),
            written,
            ..Progress::default()
        });
        return Heard { status, progress, error: None };
    };
    let Status { phase, scanned, total, changed, written, error, .. } = parsed;
    let progress = Progress { phase: phase.name().to_owned(), scanned, total, changed, written };
    Heard { status, progress: Some(progress), error }
}

/// The size of the image that is being written.
fn size(directory: &Path, vname: &str) -> Option<u64> {
    let names = [format!("{vname}-swap.ndz.tmp"), format!("{vname}-swap.ndz")];
    let metadata = |name: &String| std::fs::symlink_metadata(directory.join(name)).ok();
    names.iter().find_map(metadata).map(|metadata| metadata.len())
}

/// A file of a few kilobytes.
pub(super) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(TEXT_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// SHA-256 of the `.meta` that a node has left, in hexadecimal; empty without one.
pub(super) fn meta_digest(directory: &Path, vname: &str) -> String {
    let meta = read_small(&directory.join(format!("{vname}-swap.meta")));
    meta.map(|bytes| hexadecimal(&Sha256::digest(bytes))).unwrap_or_default()
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"));
    }
    Ok(file)
}

/// Looks whether what a node says to have done is there: whole, new, and its own.
///
/// # Errors
/// What is wrong, for good; or that it can't be read now.
pub(super) async fn check(boss: &Boss, run: &Run) -> Result<(), ActionError> {
    let Some(directory) = boss.layout.here(Path::new(&run.directory)) else {
        return Err(wrong(format!("{} is no place for its files", run.directory)));
    };
    let (run, project) = (run.clone(), run.directory.clone());
    let work = move || match run.job {
        Job::Swapout | Job::Capture => check_saved(&directory, &project, &run),
        Job::Swapin | Job::Load => check_loaded(&directory, &run),
    };
    let fault = |error| ActionError { why: format!("a fault of boss: {error}"), is_final: false };
    tokio::task::spawn_blocking(work).await.map_err(fault)?
}

/// The last status must be that of a success.
fn check_loaded(directory: &Path, run: &Run) -> Result<(), ActionError> {
    let path = directory.join(format!("{}-swap.status", run.vname));
    let bytes = read_small(&path).map_err(|error| unread(&path, &error))?;
    let status =
        Status::parse(&bytes).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
    match status.result {
        Some(0) => Ok(()),
        // It follows within seconds.
        None => Err(ActionError {
            why: "the node says that it is ready, but its status does not".to_owned(),
            is_final: false,
        }),
        Some(code) => Err(wrong(format!("the node's status says that it failed with {code}"))),
    }
}

fn check_saved(directory: &Path, project: &str, run: &Run) -> Result<(), ActionError> {
    let vname = &run.vname;
    let path = directory.join(format!("{vname}-swap.meta"));
    let bytes = read_small(&path).map_err(|error| unread(&path, &error))?;
    if hexadecimal(&Sha256::digest(&bytes)) == run.meta_before {
        return Err(wrong(format!(
            "the node says that it is ready, but {vname}-swap.meta is what it was before"
        )));
    }
    let meta = Meta::parse(&bytes).map_err(|error| wrong(format!("{vname}-swap.meta: {error}")))?;
    if meta.vname != vname.as_str() || !project.split('/').any(|part| part == meta.pid) {
        let Meta { pid, eid, vname, .. } = &meta;
        return Err(wrong(format!("what is there is of {vname} in {pid}/{eid}")));
    }
    let image = directory.join(format!("{vname}-swap.ndz"));
    if digest_of(&image, Some(meta.image_size))? != meta.image_sha256 {
        return Err(wrong(format!("{vname}-swap.ndz is not what its .meta says")));
    }
    let signature = directory.join(format!("{vname}-swap.sig"));
    let expected = meta.signature_sha256;
    if expected.is_some() && Some(digest_of(&signature, None)?) != expected {
        return Err(wrong(format!("{vname}-swap.sig is not what .meta says")));
    }
    Ok(())
}

/// SHA-256 of a file, which must have so many bytes.
fn digest_of(path: &PathBuf, bytes: Option<u64>) -> Result<[u8; 32], ActionError> {
    let read = || -> io::Result<Result<[u8; 32], u64>> {
        let mut file = open(path)?;
        let size = file.metadata()?.size();
        if bytes.is_some_and(|bytes| bytes != size) {
            return Ok(Err(size));
        }
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Ok(hasher.finalize().into())),
                count => hasher.update(buffer.get(..count).unwrap_or_default()),
            }
        }
    };
    match read() {
        Ok(Ok(digest)) => Ok(digest),
        Ok(Err(size)) => {
            let name = path.file_name().unwrap_or_default().display();
            let expected = bytes.unwrap_or_default();
            Err(wrong(format!("{name} has {size} bytes, not the {expected} of its .meta")))
        }
        Err(error) => Err(unread(path, &error)),
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn wrong(why: String) -> ActionError {
    ActionError { why, is_final: true }
}

/// A file that isn't there is one that was promised; any other error may pass.
fn unread(path: &Path, error: &io::Error) -> ActionError {
    let is_final = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput);
    ActionError { why: format!("{}: {error}", path.display()), is_final }
}
