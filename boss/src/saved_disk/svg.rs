//! The map as a drawing.
//!
//! Colours are classes, whose rules are in `static/map.css`: the pages allow no styles within them.
//! Each cell has a mark beside its colour, so nobody has to tell colours apart; and what was changed
//! or is new has a mark even where it is a single sector of a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::map::{Area, DiskMap, Scope};
use super::sets::{Category, Usage};
use super::words::{name, size};

/// Cells in a row.
const COLUMNS: usize = 40;
/// From one cell to the next. Patterns are repeated as often, so all is drawn at multiples of it.
const PITCH: usize = 10;
/// The free space at both sides.
const MARGIN: usize = 10;
/// How wide a row is.
const ROW: usize = COLUMNS * PITCH;
/// How many areas without a drawing have a line.
const MAX_LINES: usize = 8;
/// The narrowest segment of the overview that has its number in it.
const NUMBERED: f64 = 14.0;

/// How a cell looks: what most of it is, and whether there is something else in it that was
/// changed, or is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    dominant: Category,
    some_changed: bool,
    some_new: bool,
}

impl Look {
    const fn all(category: Category) -> Self {
        Self { dominant: category, some_changed: false, some_new: false }
    }

    fn of(cell: &Usage) -> Self {
        let dominant = cell.dominant();
        let some = |category| dominant != category && cell.sectors(category) > 0;
        Self { dominant, some_changed: some(Category::Changed), some_new: some(Category::New) }
    }

    /// The name of its pattern.
    fn id(self) -> String {
        let changed = if self.some_changed { "-c" } else { "" };
        let new = if self.some_new { "-n" } else { "" };
        format!("map-cell-{}{changed}{new}", word(self.dominant))
    }

    fn pattern(self) -> String {
        let mut marks = match self.dominant {
            Category::Changed => r#"<path class="map-glyph" d="M2.5 7.5l5-5"/>"#.to_owned(),
            Category::New => r#"<path class="map-glyph" d="M5 2v6M2 5h6"/>"#.to_owned(),
            Category::Gone => r#"<path class="map-cross" d="M3 3l4 4M7 3l-4 4"/>"#.to_owned(),
            Category::Free | Category::Allocated => String::new(),
        };
        if self.some_changed {
            marks.push_str(r#"<path class="map-changed map-mark" d="M.5 .5h6l-6 6z"/>"#);
        }
        if self.some_new {
            marks.push_str(r#"<circle class="map-new map-mark" cx="7" cy="7" r="2.4"/>"#);
        }
        format!(
            "<pattern id=\"{}\" width=\"{PITCH}\" height=\"{PITCH}\" \
             patternUnits=\"userSpaceOnUse\"><rect class=\"map-{}\" x=\".5\" y=\".5\" width=\"9\" \
             height=\"9\" rx=\"1\"/>{marks}</pattern>",
            self.id(),
            word(self.dominant)
        )
    }
}

/// The word for a category in the names of classes.
const fn word(category: Category) -> &'static str {
    match category {
        Category::Free => "free",
        Category::Allocated => "allocated",
        Category::Changed => "changed",
        Category::New => "new",
        Category::Gone => "gone",
    }
}

/// Draws a map: at most 60 KB.
pub fn svg(map: &DiskMap) -> String {
    let mut drawing = Drawing { map, body: String::new(), y: 0, looks: BTreeSet::new() };
    drawing.overview();
    let (drawn, lines): (Vec<_>, Vec<_>) =
        map.areas.iter().partition(|area| !area.cells.is_empty());
    for area in drawn {
        drawing.area(area);
    }
    drawing.lines(&lines);
    drawing.legend();
    drawing.finish()
}

struct Drawing<'m> {
    map: &'m DiskMap,
    body: String,
    /// Where what comes next begins; a multiple of [`PITCH`].
    y: usize,
    /// How the cells look that there are.
    looks: BTreeSet<Look>,
}

impl Drawing<'_> {
    /// The whole disk in a bar, with its partitions.
    fn overview(&mut self) {
        let map = self.map;
        self.y += 20;
        if let Scope::Partition(number) = map.scope {
            let text = format!("Only partition {number} of a disk of {}", size(map.disk_size));
            self.text(MARGIN, self.y - 5, "map-text", &text);
            return;
        }
        let partitions: Vec<_> = map.areas.iter().filter(|area| area.number.is_some()).collect();
        let count = match partitions.len() {
            0 => "no partitions".to_owned(),
            1 => "1 partition".to_owned(),
            count => format!("{count} partitions"),
        };
        let text = format!("Disk of {}, {count}", size(map.disk_size));
        self.text(MARGIN, self.y - 5, "map-text", &text);
        let y = self.y;
        let _ = write!(
            self.body,
            "<rect class=\"map-other\" x=\"{MARGIN}\" y=\"{y}\" width=\"{ROW}\" height=\"20\"/>\
             <rect fill=\"url(#map-outside)\" x=\"{MARGIN}\" y=\"{y}\" width=\"{ROW}\" height=\"20\"/>"
        );
        let (mut bars, mut numbers) = (String::new(), String::new());
        for area in partitions {
            let (start, len) = map.position(area);
            let row = f64::from(u16::try_from(ROW).unwrap_or_default());
            let (x, width) = (start * row, (len * row).max(2.0));
            let x = x.min(row - width) + f64::from(u16::try_from(MARGIN).unwrap_or_default());
            let _ = write!(bars, "M{x:.1} {y}h{width:.1}v20h-{width:.1}z");
            if width >= NUMBERED {
                let number = area.number.unwrap_or_default();
                let middle = x + width / 2.0;
                let _ = write!(
                    numbers,
                    "<text class=\"map-note\" x=\"{middle:.1}\" y=\"{}\" \
                     text-anchor=\"middle\">{number}</text>",
                    y + 14
                );
            }
        }
        if !bars.is_empty() {
            let _ = write!(self.body, "<path class=\"map-partition\" d=\"{bars}\"/>{numbers}");
        }
        self.y += 30;
    }

    /// An area with its cells.
    fn area(&mut self, area: &Area) {
        self.y += 30;
        let heading = format!("{}, {}", name(area), size(area.usage.size()));
        self.text(MARGIN, self.y - 8, "map-text", &heading);
        self.y += 20;
        let contents = self.map.contents(&area.usage);
        self.text(MARGIN, self.y - 12, "map-note", &contents);
        let scale = format!("a square: {}", size(area.cell.to_bytes()));
        let _ = write!(
            self.body,
            "<text class=\"map-note\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{scale}</text>",
            MARGIN + ROW,
            self.y - 28
        );
        let mut paths = BTreeMap::<Look, String>::new();
        let looks: Vec<_> = area.cells.iter().map(Look::of).collect();
        let mut from = 0;
        for run in looks.chunk_by(PartialEq::eq) {
            let to = from + run.len();
            if let Some(look) = run.first() {
                let path = paths.entry(*look).or_default();
                cells(path, self.y, from, to);
                self.looks.insert(*look);
            }
            from = to;
        }
        for (look, path) in paths {
            let _ = write!(self.body, "<path fill=\"url(#{})\" d=\"{path}\"/>", look.id());
        }
        self.y += area.cells.len().div_ceil(COLUMNS) * PITCH;
    }

    /// A line for each area without cells.
    fn lines(&mut self, areas: &[&Area]) {
        if areas.is_empty() {
            return;
        }
        self.y += 10;
        for area in areas.iter().take(MAX_LINES) {
            self.y += 20;
            let (size, contents) = (size(area.usage.size()), self.map.contents(&area.usage));
            let text = format!("{}, {size}: {contents}", name(area));
            self.text(MARGIN, self.y - 5, "map-note", &text);
        }
        if let more @ 1.. = areas.len().saturating_sub(MAX_LINES) {
            self.y += 20;
            self.text(MARGIN, self.y - 5, "map-note", &format!("and {more} more partitions"));
        }
    }

    fn legend(&mut self) {
        let map = self.map;
        self.y += 20;
        let mut entries = Vec::new();
        if map.has_base {
            entries.push((Category::Allocated, "as in the base image"));
            entries.push((Category::Changed, "changed since the base image"));
            entries.push((Category::New, "new: free in the base image"));
            if map.knows_gone {
                entries.push((Category::Gone, "freed since the base image"));
            }
        } else {
            entries.push((Category::Allocated, "saved; a full image, which needs no base"));
        }
        entries.push((Category::Free, "free, in no image"));
        for (category, words) in entries {
            let text = format!("{words}: {}", size(map.total.bytes(category)));
            self.entry(Look::all(category), &text);
        }
        let looks: Vec<_> = self.looks.iter().copied().collect();
        let with = |some_changed, some_new| {
            looks
                .iter()
                .copied()
                .find(|look| (look.some_changed, look.some_new) == (some_changed, some_new))
        };
        let corners = [
            (with(true, false), "with a corner: a little of it changed"),
            (with(false, true), "with a dot: a little of it is new"),
            (with(true, true), "with both: a little of it changed, a little is new"),
        ];
        for (look, words) in corners {
            if let Some(look) = look {
                self.entry(look, words);
            }
        }
        if map.scope == Scope::Disk && map.areas.iter().any(|area| area.number.is_some()) {
            let y = self.y;
            let _ = write!(
                self.body,
                "<rect class=\"map-other\" x=\"{MARGIN}\" y=\"{y}\" width=\"{PITCH}\" \
                 height=\"{PITCH}\"/><rect fill=\"url(#map-outside)\" x=\"{MARGIN}\" y=\"{y}\" \
                 width=\"{PITCH}\" height=\"{PITCH}\"/>"
            );
            let outside = map.contents(&map.outside);
            let text = format!("outside of partitions: {outside}");
            self.text(MARGIN + 2 * PITCH, y + 9, "map-note", &text);
            self.y += 20;
        }
    }

    /// A cell and what it means.
    fn entry(&mut self, look: Look, text: &str) {
        self.looks.insert(look);
        let y = self.y;
        let _ = write!(
            self.body,
            "<rect fill=\"url(#{})\" x=\"{MARGIN}\" y=\"{y}\" width=\"{PITCH}\" \
             height=\"{PITCH}\"/>",
            look.id()
        );
        self.text(MARGIN + 2 * PITCH, y + 9, "map-note", text);
        self.y += 20;
    }

    fn text(&mut self, x: usize, y: usize, class: &str, text: &str) {
        let text = escaped(text);
        let _ = write!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
    }

    fn finish(self) -> String {
        let patterns: String = self.looks.into_iter().map(Look::pattern).collect();
        let (width, height) = (ROW + 2 * MARGIN, self.y);
        let (title, words) = (escaped(&self.map.title()), escaped(&self.map.description()));
        format!(
            "<svg class=\"disk-map\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" \
             viewBox=\"0 0 {width} {height}\"><title>{title}</title><desc>{words}</desc>\
             <defs><pattern id=\"map-outside\" width=\"5\" height=\"5\" \
             patternUnits=\"userSpaceOnUse\"><path class=\"map-hatch\" d=\"M0 5l5-5\"/></pattern>\
             {patterns}</defs>{}</svg>",
            self.body
        )
    }
}

/// Adds the cells `from` up to `to` of a drawing that begins at `top`: what they have of rows, and
/// whole rows at once.
fn cells(path: &mut String, top: usize, mut from: usize, to: usize) {
    while from < to {
        let (row, column) = (from / COLUMNS, from % COLUMNS);
        let (rows, columns) = match (column, (to - from) / COLUMNS) {
            (0, rows @ 1..) => (rows, COLUMNS),
            _ => (1, (COLUMNS - column).min(to - from)),
        };
        let (x, y) = (MARGIN + column * PITCH, top + row * PITCH);
        let (width, height) = (columns * PITCH, rows * PITCH);
        let _ = write!(path, "M{x} {y}h{width}v{height}h-{width}z");
        from += rows * columns;
    }
}

/// Text as it may stand in a document.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no way to write these.
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
