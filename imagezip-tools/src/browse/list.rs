//! What `imagefs ls` prints.

use std::fmt::Write;

use anyhow::Context;
use imagezip_core::filesystem::ext::files::FileKind;
use serde_json::{Map, Value, json};

use super::disk::Listed;
use super::find::find;
use super::text::{escape, letter, permissions, word};
use super::time;
use super::volume::{Node, Volume};
use super::walk::{Walk, join};
use super::{Output, Troubles};

/// How a listing looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// A line with mode, owner, size and time for each file.
    pub long: bool,
    /// What is in directories, too, with whole paths.
    pub recursive: bool,
}

/// Prints the partitions of a disk.
///
/// # Errors
/// If they can't be written.
pub fn partitions(listed: &[Listed], out: &mut Output<'_>) -> anyhow::Result<()> {
    if !out.is_json() {
        out.line(&format!(
            "{:<6}{:>14}{:>14}  {:<38}{}",
            "place", "start", "sectors", "type", "holds"
        ))?;
    }
    for partition in listed {
        let Listed { number, range, kind, content, readable } = partition;
        if out.is_json() {
            out.object(&json!({
                "partition": number,
                "start": range.start().get(),
                "sectors": range.len().get(),
                "table_type": kind,
                "holds": content,
                "readable": readable,
            }))?;
        } else {
            let place = if *readable { format!("{number}:/") } else { number.to_string() };
            let content = content.as_deref().unwrap_or("-");
            let (start, sectors) = (range.start().get(), range.len().get());
            out.line(&format!("{place:<6}{start:>14}{sectors:>14}  {kind:<38}{content}"))?;
        }
    }
    Ok(())
}

/// Prints a file, or what is in a directory. A file that can't be read is said to the troubles.
///
/// # Errors
/// If there is nothing at `path`, or the listing can't be written.
pub fn files(
    volume: &Volume<'_>,
    path: &[u8],
    form: Form,
    out: &mut Output<'_>,
    troubles: &mut Troubles,
) -> anyhow::Result<()> {
    // As with ls: the link itself is shown, unless there is a slash after it.
    let found = find(volume, path, false)?;
    let mut lister = Lister { volume, form, out, troubles, walk: Walk::default() };
    if found.node.kind() == FileKind::Directory {
        lister.directory(&found.node, &found.path)
    } else {
        let name = found.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        lister.file(&found.node, &found.path, name)
    }
}

struct Lister<'l, 'v, 'o> {
    volume: &'l Volume<'v>,
    form: Form,
    out: &'l mut Output<'o>,
    troubles: &'l mut Troubles,
    walk: Walk,
}

impl Lister<'_, '_, '_> {
    fn directory(&mut self, directory: &Node, path: &[u8]) -> anyhow::Result<()> {
        let children = match self.volume.children(directory).with_context(|| escape(path)) {
            Ok(children) => children,
            Err(error) => {
                self.troubles.add(&error);
                return Ok(());
            }
        };
        if let Err(error) = self.walk.enter(directory, children.len(), path) {
            self.troubles.add(&error);
            return Ok(());
        }
        for child in &children {
            let path = join(path, &child.name);
            match self.volume.node(child).with_context(|| escape(&path)) {
                Ok(node) => {
                    self.file(&node, &path, &child.name)?;
                    if self.form.recursive && node.kind() == FileKind::Directory {
                        self.directory(&node, &path)?;
                    }
                }
                Err(error) => self.troubles.add(&error),
            }
        }
        self.walk.leave(children.len());
        Ok(())
    }

    fn file(&mut self, node: &Node, path: &[u8], name: &[u8]) -> anyhow::Result<()> {
        let target = if node.kind() == FileKind::Symlink && (self.form.long || self.out.is_json()) {
            match self.volume.link_target(node).with_context(|| escape(path)) {
                Ok(target) => Some(target),
                Err(error) => {
                    self.troubles.add(&error);
                    None
                }
            }
        } else {
            None
        };
        if self.out.is_json() {
            return self.out.object(&object(node, path, target.as_deref()));
        }
        let name = escape(if self.form.recursive { path } else { name });
        if !self.form.long {
            return self.out.line(&name);
        }
        let arrow = target.map(|target| format!(" -> {}", escape(&target))).unwrap_or_default();
        self.out.line(&format!("{}{name}{arrow}", long(node)))
    }
}

/// What comes before the name in a long listing.
fn long(node: &Node) -> String {
    let (letter, mode) = (letter(node.kind()), permissions(node.permissions()));
    let owner = node.owner().map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |(user, group)| (user.to_string(), group.to_string()),
    );
    let size = match node.device_numbers() {
        Some((major, minor)) => format!("{major}, {minor}"),
        None => node.size().to_string(),
    };
    let time = node.modified().map_or_else(|| "-".to_owned(), time::show);
    let (links, (user, group)) = (node.links(), owner);
    format!("{letter}{mode} {links:>3} {user:>5} {group:>5} {size:>12} {time:<19} ")
}

/// The same for programs.
fn object(node: &Node, path: &[u8], target: Option<&[u8]>) -> Value {
    let mut object = Map::new();
    let mut add = |key: &str, value: Value| object.insert(key.to_owned(), value);
    named(&mut add, "path", path);
    add("type", word(node.kind()).into());
    add("mode", format!("{:04o}", node.permissions()).into());
    if let Some((user, group)) = node.owner() {
        add("uid", user.into());
        add("gid", group.into());
    }
    add("links", node.links().into());
    add("size", node.size().into());
    if let Some(time) = node.modified() {
        add("modified", time.seconds.into());
        add("modified_nanoseconds", time.nanoseconds.into());
    }
    if let Some((major, minor)) = node.device_numbers() {
        add("device", json!([major, minor]));
    }
    if let Some(target) = target {
        named(&mut add, "target", target);
    }
    Value::Object(object)
}

/// Adds bytes that are a name: as text, and where that doesn't say all, in hexadecimal, too.
pub(super) fn named(add: &mut impl FnMut(&str, Value) -> Option<Value>, key: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if text.as_bytes() != bytes {
        let mut hex = String::new();
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        add(&format!("{key}_hex"), hex.into());
    }
    add(key, text.into());
}
