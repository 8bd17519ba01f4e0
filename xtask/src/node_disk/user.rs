//! What a user does to the disk between swapin and swapout.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::loader::INIT_DIRECTORY;
use super::{NodeDisk, SECTOR};
use crate::command::{fed, stdout, tool};

/// Adds files, edits some in the middle, appends to some and deletes others, in all three
/// partitions: through a loop mount where that is possible, else with debugfs.
///
/// # Errors
/// If a tool fails.
pub fn work_as_user(disk: &NodeDisk, scratch: &Path) -> anyhow::Result<()> {
    let place = scratch.join("user");
    fs::create_dir_all(&place)?;
    match disk.mount_root(&place, "rw") {
        Ok(mount) => {
            edit_tree(&place)?;
            mount.unmount()?;
        }
        Err(_) => edit_with_debugfs(disk, &place)?,
    }
    fs::remove_dir_all(&place)?;

    let kernel = scratch.join("kernel.efi");
    fs::write(&kernel, b"stands in for a kernel\n".repeat(10_000))?;
    disk.write_esp_file(&kernel, "KERNEL.EFI")?;

    // Pages that were swapped out: they are not part of the machine's saved state.
    let pages = b"swapped out page".repeat(256 * 64);
    let at = (disk.swap.start + 1024) * SECTOR;
    File::options().write(true).open(&disk.path)?.write_all_at(&pages, at)?;
    Ok(())
}

/// The regular files of a tree in a fixed order.
pub(crate) fn regular_files(top: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut pending = vec![top.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() && !path.ends_with("lost+found") {
            for entry in fs::read_dir(&path)? {
                pending.push(entry?.path());
            }
        } else if metadata.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn edit_tree(top: &Path) -> anyhow::Result<()> {
    let mut files = regular_files(top)?;
    files.retain(|path| !path.starts_with(top.join(INIT_DIRECTORY)));
    ensure!(files.len() > 100, "only {} files to work with", files.len());

    let large = files.iter().filter(|path| fs::metadata(path).is_ok_and(|m| m.len() > 100_000));
    for path in large.step_by(20) {
        let file = File::options().write(true).open(path)?;
        let middle = file.metadata()?.len() / 2;
        file.write_all_at(b"edited in the middle by the user", middle)?;
    }
    for path in files.iter().skip(7).step_by(200) {
        let file = File::options().write(true).open(path)?;
        file.write_all_at(b"appended by the user\n", file.metadata()?.len())?;
    }
    for path in files.iter().skip(3).step_by(50) {
        fs::remove_file(path)?;
    }

    let home = top.join("home/user/results");
    fs::create_dir_all(&home)?;
    for number in 0..40_u32 {
        fs::write(home.join(format!("run-{number}.csv")), measurements(number, 12_000))?;
    }
    // A sparse file, as databases and virtual machines make them.
    let sparse = File::create(home.join("sparse.db"))?;
    sparse.set_len(64 << 20)?;
    sparse.write_all_at(b"far away from the start", 48 << 20)?;
    fs::rename(&home, top.join("home/user/renamed"))?;
    Ok(())
}

/// Text like that of a measurement: compressible, but no line twice.
fn measurements(seed: u32, lines: u32) -> String {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut text = String::new();
    for line in 0..lines {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line},{},{}", state >> 8, state % 1000);
    }
    text
}

/// The same kinds of change where mounting is not possible. debugfs can't overwrite part of a
/// file, so an edited file is taken out, edited and put back.
fn edit_with_debugfs(disk: &NodeDisk, place: &Path) -> anyhow::Result<()> {
    let dump = format!("rdump /usr {}", place.display());
    stdout(tool("debugfs").args(["-R", &dump]).arg(disk.root_for_e2fsprogs()))?;
    let files = regular_files(place)?;
    let mut script = String::from("mkdir /home\n");
    for path in files.iter().step_by(50) {
        let inside = Path::new("/").join(path.strip_prefix(place)?);
        writeln!(script, "rm {}", inside.display())?;
    }
    for path in files.iter().skip(7).step_by(200) {
        let inside = Path::new("/").join(path.strip_prefix(place)?);
        let mut content = fs::read(path).with_context(|| path.display().to_string())?;
        let middle = content.len() / 2;
        content.splice(middle..middle, *b"edited in the middle by the user");
        fs::write(path, content)?;
        writeln!(script, "rm {0}\nwrite {1} {0}", inside.display(), path.display())?;
    }
    for number in 0..40_u32 {
        let file = place.join(format!("run-{number}.csv"));
        fs::write(&file, measurements(number, 12_000))?;
        writeln!(script, "write {} /home/run-{number}.csv", file.display())?;
    }
    fed(tool("debugfs").args(["-w", "-f", "-"]).arg(disk.root_for_e2fsprogs()), &script)?;
    Ok(())
}
