//! What several checks want to know of files.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is wrong with a program, if something is.
pub(crate) fn fault_of_program(path: &Path) -> Option<String> {
    let shown = path.display();
    match path.metadata() {
        Err(error) => Some(format!("{shown}: {error}")),
        Ok(data) if !data.is_file() => Some(format!("{shown} is no file")),
        Ok(data) if data.mode() & 0o111 == 0 => Some(format!("{shown} is not executable")),
        Ok(data) if is_open(&data) => Some(format!("{shown} can be changed by everybody")),
        Ok(_) => None,
    }
}

/// What is wrong with a file that is only read, if something is.
pub(super) fn fault_of_file(path: &Path) -> Option<String> {
    let shown = path.display();
    match File::open(path).and_then(|file| file.metadata()) {
        Err(error) => Some(format!("{shown}: {error}")),
        Ok(data) if !data.is_file() => Some(format!("{shown} is no file")),
        Ok(data) if data.len() == 0 => Some(format!("{shown} is empty")),
        Ok(data) if is_open(&data) => Some(format!("{shown} can be changed by everybody")),
        Ok(_) => None,
    }
}

/// A file is made, and gone: when was it made, by the file server's clock?
pub(super) fn touched(directory: &Path) -> io::Result<i64> {
    let file = tempfile::NamedTempFile::with_prefix_in(".boss-doctor-", directory)?;
    Ok(file.as_file().metadata()?.mtime())
}

/// Whether everybody may write to it.
pub(super) fn is_open(data: &Metadata) -> bool {
    data.mode() & 0o002 != 0 && data.mode() & 0o1000 == 0
}
