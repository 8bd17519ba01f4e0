//! What selects offer.

use std::collections::BTreeMap;

use crate::access::Actor;
use crate::db::Database;
use crate::db::images::Image;
use crate::error::{ErrorKind, Result};
use crate::experiment::places;
use crate::names::{Gid, Pid};

/// Something that can be chosen.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

/// Choices that stand together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) choices: Vec<Choice>,
}

impl Choice {
    pub(super) fn new(value: &impl ToString, label: impl Into<String>) -> Self {
        Self { value: value.to_string(), label: label.into() }
    }
}

/// The images that nodes of a project may be loaded with, by the projects that have them.
pub(super) async fn images(db: &Database, pid: &Pid) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut newest = String::new();
    for Image { pid: owner, name, version, .. } in places::images(db, pid).await? {
        let label = if owner == *pid {
            format!("Images of {owner}")
        } else {
            format!("Images of {owner}, for all projects")
        };
        if groups.last().is_none_or(|group| group.label != label) {
            groups.push(Group { label, choices: Vec::new() });
        }
        let Some(group) = groups.last_mut() else { continue };
        let image = format!("{owner}/{name}");
        if image != newest {
            group.choices.push(Choice::new(&image, format!("{name}, the newest ({version} now)")));
            newest.clone_from(&image);
        }
        group
            .choices
            .push(Choice::new(&format_args!("{image}:{version}"), format!("{name}:{version}")));
    }
    Ok(groups)
}

/// The places that somebody may make something in, as `<project>/<group>`.
pub(super) async fn places(db: &Database, actor: &Actor) -> Result<Vec<Choice>> {
    let places: BTreeMap<Pid, Vec<Gid>> = places::of(db, actor).await?;
    let choices = places.iter().flat_map(|(pid, gids)| {
        gids.iter().map(move |gid| {
            let label = if gid.as_str() == pid.as_str() {
                pid.to_string()
            } else {
                format!("{pid}, subgroup {gid}")
            };
            Choice::new(&format_args!("{pid}/{gid}"), label)
        })
    });
    Ok(choices.collect())
}

/// What was chosen of [`places`].
pub(super) fn place(text: &str) -> Result<(Pid, Gid)> {
    let bad = || ErrorKind::Invalid.because("Project: choose one of the list");
    let (pid, gid) = text.split_once('/').ok_or_else(bad)?;
    Ok((pid.parse().map_err(|_| bad())?, gid.parse().map_err(|_| bad())?))
}
