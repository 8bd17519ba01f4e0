//! What a program says, line by line, and not too much of it.

use alloc::string::String;
use alloc::vec::Vec;

/// The longest line in bytes; the rest of a longer one is the next.
const LONGEST: usize = 400;
/// How many lines are logged.
const MOST: u32 = 1000;

/// Cuts bytes into lines.
pub(super) struct Lines {
    begun: Vec<u8>,
    left: u32,
    dropped: u64,
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self { begun: Vec::new(), left: MOST, dropped: 0 }
    }

    /// Takes in more bytes, and gives `say` the lines that end in them.
    pub(super) fn push(&mut self, bytes: &[u8], say: &mut dyn FnMut(&str)) {
        for byte in bytes {
            // Meters go back to the start of the line.
            let ends = matches!(byte, b'\n' | b'\r');
            if !ends {
                self.begun.push(*byte);
            }
            if ends || self.begun.len() >= LONGEST {
                self.end_line(say);
            }
        }
    }

    /// The last line, if it has no end, and how much was left out.
    pub(super) fn finish(mut self, say: &mut dyn FnMut(&str)) {
        self.end_line(say);
        if self.dropped > 0 {
            say(&alloc::format!("({} more lines)", self.dropped));
        }
    }

    fn end_line(&mut self, say: &mut dyn FnMut(&str)) {
        if self.begun.is_empty() {
            return;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                say(&String::from_utf8_lossy(&self.begun));
            }
            None => self.dropped = self.dropped.saturating_add(1),
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn lines(parts: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut said) = (Lines::new(), Vec::new());
        for part in parts {
            lines.push(part, &mut |line| said.push(line.to_string()));
        }
        lines.finish(&mut |line| said.push(line.to_string()));
        said
    }

    #[test]
    fn lines_are_lines_however_they_come() {
        assert_eq!(lines(&[b"on", b"e\n\n10%\r20%\rtw", b"o"]), ["one", "10%", "20%", "two"]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn there_are_not_too_many_and_none_is_too_long() {
        let flood = std::vec![b'x'; LONGEST * 3];
        let said = lines(&[&flood]);
        assert_eq!(said.iter().map(String::len).collect::<Vec<_>>(), [LONGEST; 3]);
        let said = lines(&["y\n".repeat(2000).as_bytes()]);
        assert_eq!(said.len(), 1001);
        assert_eq!(said[1000], "(1000 more lines)");
    }
}
