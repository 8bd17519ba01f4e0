//! The table in docs/interop.md: what was compared, case by case.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::deviations::Reason;
use super::judge::Verdict;
use super::run::Inputs;

const TOOLS: [&str; 7] = [
    "imagezip",
    "imageunzip",
    "imagehash",
    "imagedelta",
    "imageundelta",
    "imagerezip",
    "imagedump",
];

const START: &str = "<!-- rows -->\n";

/// What came of the commands of one tool.
#[derive(Clone, Copy, Default)]
struct Cell {
    same: u32,
    right: u32,
}

/// What came of a case with the inputs of one side.
pub(crate) struct Row {
    case: String,
    inputs: Inputs,
    cells: BTreeMap<&'static str, Cell>,
    reasons: BTreeSet<Reason>,
}

impl Row {
    pub(crate) fn new(case: &str, inputs: Inputs) -> Self {
        Self { case: case.to_owned(), inputs, cells: BTreeMap::new(), reasons: BTreeSet::new() }
    }

    /// Counts a command, which did the same if all that was compared did.
    pub(crate) fn add(&mut self, tool: &'static str, verdicts: &[Verdict]) {
        let cell = self.cells.entry(tool).or_default();
        if verdicts.iter().all(|verdict| *verdict == Verdict::Same) {
            cell.same += 1;
        } else {
            cell.right += 1;
        }
        self.reasons.extend(verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Same => None,
            Verdict::Right(reason) => Some(*reason),
        }));
    }

    fn line(&self) -> String {
        let inputs = match self.inputs {
            Inputs::Reference => "theirs",
            Inputs::Own => "ours",
        };
        let mut line = format!("| {} | {inputs} |", self.case);
        for tool in TOOLS {
            let cell = self.cells.get(tool).copied().unwrap_or_default();
            let _ = match (cell.same, cell.right) {
                (0, 0) => write!(line, "  |"),
                (same, 0) => write!(line, " {same} |"),
                (same, right) => write!(line, " {same} + {right} |"),
            };
        }
        let letters: Vec<_> = self.reasons.iter().map(|reason| letter(*reason)).collect();
        let _ = writeln!(line, " {} |", letters.join(" "));
        line
    }
}

fn letter(reason: Reason) -> String {
    let index = Reason::ALL.iter().position(|known| *known == reason);
    let letter = index.and_then(|index| ('a'..='z').nth(index));
    letter.unwrap_or('?').to_string()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/interop.md")
}

/// Checks that the file has these rows for a case; with `UPDATE` set, puts them there.
pub(crate) fn check(case: &str, rows: &[Row]) {
    let rows: String = rows.iter().map(Row::line).collect();
    let is_of_case = |line: &&str| line.starts_with(&format!("| {case} |"));
    if std::env::var_os("UPDATE").is_none() {
        let text = fs::read_to_string(path()).unwrap();
        let found: String = text.lines().filter(is_of_case).flat_map(|line| [line, "\n"]).collect();
        assert_eq!(found, rows, "docs/interop.md is not up to date: run this test with UPDATE=1");
        return;
    }
    // Cases run at the same time.
    let lock = File::open(path()).unwrap();
    lock.lock().unwrap();
    let text = fs::read_to_string(path()).unwrap();
    let (head, table) = text.split_once(START).unwrap();
    let (table, tail) = table.split_once("\n\n").unwrap();
    let others = table.lines().filter(|line| !is_of_case(line)).map(|line| format!("{line}\n"));
    let mut lines: Vec<_> = others.chain(rows.split_inclusive('\n').map(str::to_owned)).collect();
    let header: Vec<_> = lines.drain(..2).collect();
    let case_of = |line: &String| line.split('|').nth(1).unwrap_or_default().trim().to_owned();
    lines.sort_by_key(case_of);
    let text = format!("{head}{START}{}{}\n{tail}", header.concat(), lines.concat());
    fs::write(path(), text).unwrap();
}

/// Checks that the file has rows for these cases and no others, and says what each letter means.
pub(crate) fn check_names(cases: &[&str]) {
    let text = fs::read_to_string(path()).unwrap();
    let (_, table) = text.split_once(START).unwrap();
    let (table, legend) = table.split_once("\n\n").unwrap();
    let names = table.lines().skip(2).map(|line| line.split('|').nth(1).unwrap().trim());
    let names: BTreeSet<_> = names.collect();
    assert_eq!(names, cases.iter().copied().collect());
    for reason in Reason::ALL {
        let line = format!("* **{}** {}", letter(*reason), reason.text());
        assert!(legend.contains(&line), "docs/interop.md lacks this line:\n{line}");
    }
}
