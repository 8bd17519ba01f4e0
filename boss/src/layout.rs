//! Where the files of projects and experiments are: as boss sees them, and as nodes do.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::names::{Eid, Gid, ImageName, Pid};

/// A directory that boss and nodes see below different roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As boss sees it.
    pub here: PathBuf,
    /// As nodes see it, below `/proj` or `/groups`.
    pub node: PathBuf,
}

impl Place {
    /// A file or directory in it.
    #[must_use]
    pub fn join(&self, name: impl AsRef<Path>) -> Self {
        Self { here: self.here.join(&name), node: self.node.join(&name) }
    }
}

/// The roots of the site's directories.
#[derive(Clone, Debug)]
pub struct Layout {
    proj: PathBuf,
    groups: PathBuf,
}

impl Layout {
    /// Of this site.
    pub fn new(config: &Config) -> Self {
        Self { proj: config.directories.proj.clone(), groups: config.directories.groups.clone() }
    }

    /// A project's directory.
    pub fn project(&self, pid: &Pid) -> Place {
        let node = Path::new("/proj").join(pid.as_str());
        Place { here: self.proj.join(pid.as_str()), node }
    }

    /// The directory of a group: of a subgroup below `/groups`, else the project's.
    pub fn group(&self, pid: &Pid, gid: &Gid) -> Place {
        if pid.as_str() == gid.as_str() {
            return self.project(pid);
        }
        let below = Path::new(pid.as_str()).join(gid.as_str());
        Place { here: self.groups.join(&below), node: Path::new("/groups").join(&below) }
    }

    /// The real directory of an experiment. `/proj/<pid>/exp/<eid>` is a link to it, if it is a
    /// subgroup's.
    pub fn experiment(&self, pid: &Pid, gid: &Gid, eid: &Eid) -> Place {
        self.group(pid, gid).join("exp").join(eid.as_str())
    }

    /// An experiment's `swapinfo`.
    pub fn swapinfo(&self, pid: &Pid, gid: &Gid, eid: &Eid) -> Place {
        self.experiment(pid, gid, eid).join("swapinfo")
    }

    /// A group's images.
    pub fn images(&self, pid: &Pid, gid: &Gid) -> Place {
        self.group(pid, gid).join("images")
    }

    /// The root that a path of boss' is below, and the way from there.
    pub fn root_of<'a>(&self, here: &'a Path) -> Option<(&Path, &'a Path)> {
        [&self.proj, &self.groups]
            .into_iter()
            .find_map(|root| here.strip_prefix(root).ok().map(|rest| (root.as_path(), rest)))
    }

    /// What boss sees of a path that a node uses, if that is below `/proj` or `/groups`.
    pub fn here(&self, node: &Path) -> Option<PathBuf> {
        let below = |root: &str| node.strip_prefix(root).ok();
        let plain = node.components().all(|part| part != std::path::Component::ParentDir);
        match (below("/proj"), below("/groups")) {
            (Some(rest), _) if plain => Some(self.proj.join(rest)),
            (_, Some(rest)) if plain => Some(self.groups.join(rest)),
            _ => None,
        }
    }
}

/// The file of a version of an image: `<name>.ndz`, and `<name>.ndz:<version>` for later ones, as
/// testbeds have named them since 2016. A version's file is never replaced.
pub fn image_file(name: &ImageName, version: u32) -> String {
    match version {
        0 => format!("{name}.ndz"),
        _ => format!("{name}.ndz:{version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boss_and_nodes_see_the_same_files() {
        let layout = Layout { proj: "/q/proj".into(), groups: "/q/groups".into() };
        let (pid, eid) = ("testbed".parse().unwrap(), "trial".parse().unwrap());
        let own = layout.swapinfo(&pid, &"testbed".parse().unwrap(), &eid);
        assert_eq!(own.here, Path::new("/q/proj/testbed/exp/trial/swapinfo"));
        assert_eq!(own.node, Path::new("/proj/testbed/exp/trial/swapinfo"));
        let sub = layout.swapinfo(&pid, &"sub".parse().unwrap(), &eid);
        assert_eq!(sub.node, Path::new("/groups/testbed/sub/exp/trial/swapinfo"));
        for place in [own, sub] {
            assert_eq!(layout.here(&place.node), Some(place.here));
        }
        for out in ["/etc/passwd", "/proj/../etc/passwd", "proj/x"] {
            assert_eq!(layout.here(Path::new(out)), None, "{out}");
        }
        let name = "BASE".parse().unwrap();
        assert_eq!(
            (image_file(&name, 0), image_file(&name, 2)),
            ("BASE.ndz".into(), "BASE.ndz:2".into())
        );
    }
}
