//! Which files differ between a file system as it was and as it is.
//!
//! Both trees are walked in step. What is the same bytes on both devices is read once and not
//! compared: the deltas say which sectors may differ ([`States::changed`]), and what the recovery
//! of a journal changes is added to them. So a file counts as unchanged only if its inode and all
//! sectors of its content are either not in a delta or have been compared, whatever its times say.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::vec::IntoIter;

use anyhow::Context;
use imagezip_core::error::Result;
use imagezip_core::extent::ExtentSet;
use imagezip_core::filesystem::Content;
use imagezip_core::filesystem::content::Piece;
use imagezip_core::filesystem::ext::files::FileKind;
use imagezip_core::sector::{Bytes, SECTOR_BYTES, Sector, SectorRange};
use serde_json::{Map, Value};

use super::find::find;
use super::list::named;
use super::text::{escape, word};
use super::volume::{Child, Node, Volume};
use super::walk::{Walk, join};
use super::{Output, Troubles};

/// How much is compared at a time, in bytes.
const STEP: usize = 256 << 10;

/// How a file differs: the letters that are printed, and what they mean.
pub const LETTERS: &[(char, &str)] = &[
    ('A', "added"),
    ('D', "deleted"),
    ('M', "the content is another one: bytes, target of a link, numbers of a device"),
    ('T', "the type is another one"),
    (
        'P',
        "permissions, owner, flags, extended attributes or, except of directories, the time of \
         modification are others, and the content is the same",
    ),
];

/// The two states of a file system.
pub struct States<'a> {
    /// As it was.
    pub old: &'a Volume<'a>,
    /// As it is.
    pub new: &'a Volume<'a>,
    /// Sectors of the file system's device that may differ; `None` if that is not known, and all
    /// may.
    pub changed: Option<&'a ExtentSet>,
}

/// Prints what differs at `path` and below. What can't be read is said to the troubles.
///
/// # Errors
/// If there is nothing at `path` in either state, or the output can't be written.
pub fn diff(
    states: &States<'_>,
    path: &[u8],
    out: &mut Output<'_>,
    troubles: &mut Troubles,
) -> anyhow::Result<()> {
    let (old, new) = (find(states.old, path, false), find(states.new, path, false));
    let mut differ = Differ { states, out, troubles, old: Walk::default(), new: Walk::default() };
    match (old, new) {
        (Ok(old), Ok(new)) => differ.both(&old.node, &new.node, &new.path),
        (Ok(old), Err(_)) => differ.only(Side::Old, &old.node, &old.path),
        (Err(_), Ok(new)) => differ.only(Side::New, &new.node, &new.path),
        (Err(_), Err(error)) => Err(error),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Old,
    New,
}

struct Differ<'d, 'o> {
    states: &'d States<'d>,
    out: &'d mut Output<'o>,
    troubles: &'d mut Troubles,
    old: Walk,
    new: Walk,
}

impl Differ<'_, '_> {
    /// Something that is there in both states.
    fn both(&mut self, old: &Node, new: &Node, path: &[u8]) -> anyhow::Result<()> {
        if old.kind() != new.kind() {
            if old.kind() == FileKind::Directory {
                self.inside(Side::Old, old, path)?;
            }
            self.report('T', path, Some(old), Some(new))?;
            if new.kind() == FileKind::Directory {
                self.inside(Side::New, new, path)?;
            }
            return Ok(());
        }
        let letter = match self.states.compare(old, new).with_context(|| escape(path)) {
            Ok(letter) => letter,
            Err(error) => {
                self.troubles.add(&error);
                None
            }
        };
        if let Some(letter) = letter {
            self.report(letter, path, Some(old), Some(new))?;
        }
        if new.kind() == FileKind::Directory {
            self.directories(old, new, path)?;
        }
        Ok(())
    }

    /// Directories of the same name.
    fn directories(&mut self, old: &Node, new: &Node, path: &[u8]) -> anyhow::Result<()> {
        let children = self.states.children(old, new).with_context(|| escape(path));
        let (before, after) = match children {
            Ok(children) => children,
            Err(error) => {
                self.troubles.add(&error);
                return Ok(());
            }
        };
        let (olds, news) = (before.len(), after.len());
        let entered =
            self.old.enter(old, olds, path).and_then(|()| self.new.enter(new, news, path));
        if let Err(error) = entered {
            self.troubles.add(&error);
            return Ok(());
        }
        for pair in Pairs::new(before, after) {
            match pair {
                (Some(old), Some(new)) => {
                    let path = join(path, &new.name);
                    match self.states.nodes(&old, &new).with_context(|| escape(&path)) {
                        Ok((old, new)) => self.both(&old, &new, &path)?,
                        Err(error) => self.troubles.add(&error),
                    }
                }
                (Some(child), None) => self.child(Side::Old, &child, path)?,
                (None, Some(child)) => self.child(Side::New, &child, path)?,
                (None, None) => {}
            }
        }
        self.old.leave(olds);
        self.new.leave(news);
        Ok(())
    }

    /// An entry that is there in one state.
    fn child(&mut self, side: Side, child: &Child, directory: &[u8]) -> anyhow::Result<()> {
        let path = join(directory, &child.name);
        match self.volume(side).node(child).with_context(|| escape(&path)) {
            Ok(node) => self.only(side, &node, &path)?,
            Err(error) => self.troubles.add(&error),
        }
        Ok(())
    }

    /// Something that is there in one state, and all that is in it.
    fn only(&mut self, side: Side, node: &Node, path: &[u8]) -> anyhow::Result<()> {
        match side {
            Side::Old => self.report('D', path, Some(node), None)?,
            Side::New => self.report('A', path, None, Some(node))?,
        }
        if node.kind() == FileKind::Directory { self.inside(side, node, path) } else { Ok(()) }
    }

    /// All that is in a directory that is there in one state.
    fn inside(&mut self, side: Side, directory: &Node, path: &[u8]) -> anyhow::Result<()> {
        let children = self.volume(side).children(directory).with_context(|| escape(path));
        let entered = children.and_then(|children| {
            self.walk(side).enter(directory, children.len(), path)?;
            Ok(children)
        });
        let children = match entered {
            Ok(children) => children,
            Err(error) => {
                self.troubles.add(&error);
                return Ok(());
            }
        };
        for child in &children {
            self.child(side, child, path)?;
        }
        self.walk(side).leave(children.len());
        Ok(())
    }

    fn volume(&self, side: Side) -> &Volume<'_> {
        match side {
            Side::Old => self.states.old,
            Side::New => self.states.new,
        }
    }

    fn walk(&mut self, side: Side) -> &mut Walk {
        match side {
            Side::Old => &mut self.old,
            Side::New => &mut self.new,
        }
    }

    fn report(
        &mut self,
        letter: char,
        path: &[u8],
        old: Option<&Node>,
        new: Option<&Node>,
    ) -> anyhow::Result<()> {
        if !self.out.is_json() {
            return self.out.line(&format!("{letter}\t{}", escape(path)));
        }
        let mut object = Map::new();
        let mut add = |key: &str, value: Value| object.insert(key.to_owned(), value);
        add("status", letter.to_string().into());
        named(&mut add, "path", path);
        if let Some(node) = new.or(old) {
            add("type", word(node.kind()).into());
        }
        if let Some(old) = old {
            add("old_size", old.size().into());
        }
        if let Some(new) = new {
            add("new_size", new.size().into());
        }
        self.out.object(&Value::Object(object))
    }
}

impl States<'_> {
    /// Whether any of these bytes may differ.
    fn may_differ(&self, start: Bytes, end: Bytes) -> bool {
        let Some(changed) = self.changed else { return true };
        changed.within(sectors(start, end)).next().is_some()
            || self.old.recovery_changes(start, end)
            || self.new.recovery_changes(start, end)
    }

    /// What two entries of the same name stand for.
    fn nodes(&self, old: &Child, new: &Child) -> Result<(Node, Node)> {
        if old == new {
            let before = self.old.node_bytes(old)?;
            let after = self.new.node_bytes(new)?;
            if let Some((start, end)) = after
                && before == after
                && !self.may_differ(start, end)
            {
                let node = self.new.node(new)?;
                return Ok((node.clone(), node));
            }
        }
        Ok((self.old.node(old)?, self.new.node(new)?))
    }

    /// What is in two directories of the same name.
    fn children(&self, old: &Node, new: &Node) -> Result<(Vec<Child>, Vec<Child>)> {
        if old == new {
            let content = self.new.content(new)?;
            if content == self.old.content(old)? && !self.pieces_may_differ(content.pieces()) {
                let children = self.new.children(new)?;
                return Ok((children.clone(), children));
            }
        }
        Ok((self.old.children(old)?, self.new.children(new)?))
    }

    fn pieces_may_differ(&self, pieces: &[Piece]) -> bool {
        pieces.iter().any(|piece| {
            let end = piece.position.checked_add(piece.len).unwrap_or(piece.position);
            self.may_differ(piece.position, end)
        })
    }

    /// How two files of the same kind differ, if they do.
    fn compare(&self, old: &Node, new: &Node) -> Result<Option<char>> {
        let same_content = match new.kind() {
            FileKind::Regular => self.same_content(old, new)?,
            FileKind::Symlink => self.old.link_target(old)? == self.new.link_target(new)?,
            FileKind::Character | FileKind::Block => old.device_numbers() == new.device_numbers(),
            FileKind::Directory | FileKind::Fifo | FileKind::Socket => true,
        };
        if !same_content {
            return Ok(Some('M'));
        }
        let timed = new.kind() != FileKind::Directory;
        let properties = old.properties_differ(new) || timed && old.modified() != new.modified();
        Ok((properties || self.attributes_differ(old, new)?).then_some('P'))
    }

    fn attributes_differ(&self, old: &Node, new: &Node) -> Result<bool> {
        if old.attribute_block() == 0 && new.attribute_block() == 0 {
            return Ok(false);
        }
        Ok(self.old.attribute_block(old)? != self.new.attribute_block(new)?)
    }

    fn same_content(&self, old: &Node, new: &Node) -> Result<bool> {
        if old.size() != new.size() {
            return Ok(false);
        }
        let (before, after) = (self.old.content(old)?, self.new.content(new)?);
        if before != after {
            return self.same_bytes(&before, &after, 0, after.size());
        }
        // The same places: what no delta holds is the same.
        for piece in after.pieces() {
            for (start, end) in self.suspects(piece) {
                if !self.same_bytes(&before, &after, start, end)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The parts of a piece that may differ, as positions in the file.
    fn suspects(&self, piece: &Piece) -> Vec<(u64, u64)> {
        let from = piece.position;
        let to = from.checked_add(piece.len).unwrap_or(from);
        let whole = vec![(piece.at, piece.at.saturating_add(piece.len))];
        let Some(changed) = self.changed else { return whole };
        if self.old.recovery_changes(from, to) || self.new.recovery_changes(from, to) {
            return whole;
        }
        let in_file = |position: Bytes| {
            let position = position.clamp(from, to);
            piece.at.saturating_add(position.get().saturating_sub(from.get()))
        };
        let ranges = changed.within(sectors(from, to));
        ranges
            .map(|range| (in_file(range.start().to_bytes()), in_file(range.end().to_bytes())))
            .collect()
    }

    /// Whether two files have the same bytes from `at` to `end`.
    fn same_bytes(&self, old: &Content, new: &Content, mut at: u64, end: u64) -> Result<bool> {
        let (mut left, mut right) = (vec![0; STEP], vec![0; STEP]);
        let data_after = |at: u64| {
            let starts = [old, new].map(|content| content.data_after(at).map(|(start, _)| start));
            starts.into_iter().flatten().min()
        };
        while let Some(start) = data_after(at).filter(|start| *start < end) {
            let len = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX).min(STEP);
            let (left, right) = (&mut left[..len], &mut right[..len]);
            let read = old.read(self.old.device(), start, left)?;
            if new.read(self.new.device(), start, right)? != read || left != right {
                return Ok(false);
            }
            at = start.saturating_add(read.max(1) as u64);
        }
        Ok(true)
    }
}

/// The sectors that bytes lie in.
fn sectors(start: Bytes, end: Bytes) -> SectorRange {
    let first = Sector::new(start.get() / SECTOR_BYTES);
    let last = Sector::new(end.get().div_ceil(SECTOR_BYTES)).unwrap_or(Sector::MAX);
    first.and_then(|first| SectorRange::new(first, last)).unwrap_or(SectorRange::EMPTY)
}

/// The entries of two directories, those of the same name together.
struct Pairs {
    old: Peekable<IntoIter<Child>>,
    new: Peekable<IntoIter<Child>>,
}

impl Pairs {
    /// Both by ascending name.
    fn new(old: Vec<Child>, new: Vec<Child>) -> Self {
        Self { old: old.into_iter().peekable(), new: new.into_iter().peekable() }
    }
}

impl Iterator for Pairs {
    type Item = (Option<Child>, Option<Child>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.old.peek(), self.new.peek()) {
            (Some(old), Some(new)) => old.name.cmp(&new.name),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        Some(match order {
            Ordering::Less => (self.old.next(), None),
            Ordering::Equal => (self.old.next(), self.new.next()),
            Ordering::Greater => (None, self.new.next()),
        })
    }
}
