//! What nobody needs any more is removed; what somebody may want is only told of.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use rustix::fs::FileType;

use super::Swapinfo;
use super::install::{digest_of_name, forget};
use super::saved::bases;
use crate::db::experiments::Experiment;
use crate::files::{Directory, TEMPORARY_AGE, blocking, is_temporary};
use crate::image::is_older;
use crate::names::Vname;

/// So many logs of each node are kept.
const LOGS_KEPT: usize = 20;
/// A signature on its way out.
const LEAVING: &str = ".leaving";

/// What was found in a `swapinfo` directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// Files that were removed.
    pub removed: Vec<String>,
    /// Saved disks of nodes that the experiment doesn't have any more; their user decides.
    pub left_over: Vec<String>,
    /// Links that lead to nothing in the directory.
    pub dangling: Vec<String>,
    /// Files that say which signatures are needed, but can't be read: so all signatures were kept.
    pub unreadable: Vec<String>,
}

impl Swapinfo {
    /// Removes what nobody needs any more from an experiment's directory.
    ///
    /// # Errors
    /// If the data base or the directory can't be read, or a file can't be removed.
    pub async fn collect_garbage(&self, experiment: &Experiment) -> anyhow::Result<Garbage> {
        let id = experiment.id();
        let wanted = self.db.wanted_nodes(&id).await?.into_iter().map(|node| node.vname);
        let had = self.db.reservations(&id).await?.into_iter().map(|node| node.vname);
        let vnames: BTreeSet<Vname> = wanted.chain(had).collect();
        let (layout, of) = (self.layout.clone(), experiment.clone());
        blocking(move || {
            let place = layout.experiment(&of.pid, &of.gid, &of.eid);
            let parent = Directory::below(&layout, &place.here)?;
            match parent.open_if_there("swapinfo")? {
                Some(directory) => sweep(&directory, &vnames).with_context(|| of.id().to_string()),
                None => Ok(Garbage::default()),
            }
        })
        .await
    }
}

/// Sweeps a directory in which only these nodes are expected.
fn sweep(directory: &Directory, vnames: &BTreeSet<Vname>) -> anyhow::Result<Garbage> {
    let mut garbage = Garbage::default();
    let names = directory.names()?;
    for name in &names {
        let Some((vname, end)) = split(name) else { continue };
        if vnames.contains(&vname) {
            continue;
        }
        match end {
            "part" | "sig" | "ndz" => {
                garbage.removed.extend(forget(directory, vname.as_str())?);
            }
            _ => garbage.left_over.push(name.clone()),
        }
    }
    for name in names.iter().filter(|name| is_temporary(name).is_some()) {
        if is_older(directory, name, TEMPORARY_AGE)? && directory.remove(name)? {
            garbage.removed.push(name.clone());
        }
    }
    sweep_signatures(directory, &names, &mut garbage)?;
    // After that, because a signature may have come back.
    for name in &names {
        if let Some(target) = directory.link_target(name)? {
            let target = target.to_string_lossy();
            if !target.contains('/') && directory.look(&target)?.is_none() {
                garbage.dangling.push(name.clone());
            }
        }
    }
    sweep_logs(directory, &mut garbage)?;
    directory.sync()?;
    Ok(garbage)
}

/// The node that a file is of, and what it is.
fn split(name: &str) -> Option<(Vname, &str)> {
    let (start, end) = name.split_once('.')?;
    match end {
        "part" | "sig" | "ndz" if !start.ends_with("-swap") => Some((start.parse().ok()?, end)),
        _ => {
            let saved = matches!(end.strip_suffix(".stale").unwrap_or(end), "meta" | "ndz" | "sig");
            let vname = start.strip_suffix("-swap").filter(|_| saved)?;
            Some((vname.parse().ok()?, "saved"))
        }
    }
}

/// The digests of signatures that a link or a saved disk needs; none, if that can't be known.
fn needed(
    directory: &Directory,
    garbage: &mut Garbage,
) -> anyhow::Result<Option<BTreeSet<String>>> {
    let mut needed = BTreeSet::new();
    for name in directory.names()? {
        if let Some(target) = directory.link_target(&name)? {
            needed.extend(digest_of_name(&target.to_string_lossy()).map(str::to_owned));
        }
    }
    let mut known = true;
    for (name, base) in bases(directory)? {
        if let Ok(base) = base {
            let digest = imagezip_core::digest::Sha256(base.signature_sha256);
            needed.insert(digest.to_string());
        } else {
            known = false;
            if !garbage.unreadable.contains(&name) {
                garbage.unreadable.push(name);
            }
        }
    }
    Ok(known.then_some(needed))
}

/// Removes signatures that nobody needs. They are renamed first, then it is looked once more whether
/// somebody needs them: the collector makes its link before it looks whether the signature is there.
fn sweep_signatures(
    directory: &Directory,
    names: &[String],
    garbage: &mut Garbage,
) -> anyhow::Result<()> {
    let before = needed(directory, garbage)?;
    let mut leaving = BTreeSet::new();
    for name in names {
        let plain = name.strip_suffix(LEAVING).unwrap_or(name);
        let Some(digest) = digest_of_name(plain) else { continue };
        if directory.kind(name)? != Some(FileType::RegularFile) {
            continue;
        }
        if name == plain {
            if before.as_ref().is_none_or(|needed| needed.contains(digest)) {
                continue;
            }
            directory.rename(plain, &format!("{plain}{LEAVING}"))?;
        }
        // Also those that a run has left that crashed here.
        leaving.insert(plain);
    }
    let now = needed(directory, garbage)?;
    for plain in leaving {
        let on_its_way = format!("{plain}{LEAVING}");
        let is_there = directory.look(plain)?.is_some();
        let digest = digest_of_name(plain).unwrap_or_default();
        if !is_there && now.as_ref().is_none_or(|needed| needed.contains(digest)) {
            directory.rename(&on_its_way, plain)?;
        } else if directory.remove(&on_its_way)? && !is_there {
            garbage.removed.push(plain.to_owned());
        }
    }
    Ok(())
}

/// Removes all but the newest logs of each node.
fn sweep_logs(directory: &Directory, garbage: &mut Garbage) -> anyhow::Result<()> {
    let Some(logs) = directory.open_if_there("logs")? else { return Ok(()) };
    let mut by_node: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in logs.names()? {
        // `<vname>.<utc>.log`: names in order are times in order.
        let vname = name.split('.').next().unwrap_or_default();
        let is_log = name.split('.').skip(2).eq(["log"]);
        if is_log && vname.parse::<Vname>().is_ok() {
            by_node.entry(vname.to_owned()).or_default().push(name);
        }
    }
    for of_node in by_node.values() {
        let old = of_node.len().saturating_sub(LOGS_KEPT);
        for name in of_node.iter().take(old) {
            logs.remove(name)?;
            garbage.removed.push(format!("logs/{name}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
