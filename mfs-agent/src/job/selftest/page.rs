//! The layout of the page.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The longest line, in characters.
pub(super) const WIDTH: usize = 78;
const DEVICE: usize = 13;
const KEY: usize = 9;
/// What is left for values.
const VALUE: usize = WIDTH - DEVICE - KEY - 2;

/// A page that is printed line by line.
pub(super) struct Page<'a> {
    write: &'a mut dyn FnMut(fmt::Arguments<'_>),
    device: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(write: &'a mut dyn FnMut(fmt::Arguments<'_>)) -> Self {
        Self { write, device: String::new() }
    }

    /// Begins the lines about a device.
    pub(super) fn block(&mut self, device: &str) {
        self.device = device.into();
    }

    /// A fact about the device: on several lines if it is too long for one, each of them with the
    /// device and the key. Lines end where a part of the sentence does, or where a word does if the
    /// part is longer than a line, or in a word that is.
    pub(super) fn row(&mut self, key: &str, value: impl fmt::Display) {
        let value = value.to_string();
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        let mut line = Line::default();
        for part in words.split_inclusive(is_end_of_part()) {
            if !line.has_room(length(part)) {
                self.end(key, &mut line);
            }
            for &word in part {
                if !line.has_room(word.chars().count()) {
                    self.end(key, &mut line);
                }
                let mut rest = line.push(word);
                while !rest.is_empty() {
                    self.end(key, &mut line);
                    rest = line.push(rest);
                }
            }
        }
        if words.is_empty() || !line.is_empty() {
            self.print(key, &line);
        }
    }

    /// Prints what there is, and begins a new line.
    fn end(&mut self, key: &str, line: &mut Line) {
        if !line.is_empty() {
            self.print(key, &core::mem::take(line));
        }
    }

    fn print(&mut self, key: &str, line: &Line) {
        let device = &self.device;
        (self.write)(format_args!("{device:<DEVICE$} {key:<KEY$} {}", line.text));
    }
}

/// Tells of one word after the other whether a part of the sentence ends with it: at a comma that
/// is not in brackets.
fn is_end_of_part() -> impl FnMut(&&str) -> bool {
    let mut depth = 0_usize;
    move |word| {
        for byte in word.bytes() {
            match byte {
                b'[' | b'(' => depth = depth.saturating_add(1),
                b']' | b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        depth == 0 && word.ends_with([',', ';'])
    }
}

/// The characters of words with blanks between them.
fn length(words: &[&str]) -> usize {
    let blanks = words.len().saturating_sub(1);
    words.iter().fold(blanks, |sum, word| sum.saturating_add(word.chars().count()))
}

#[derive(Default)]
struct Line {
    text: String,
    len: usize,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether so many characters fit after what is there, and a blank.
    fn has_room(&self, len: usize) -> bool {
        self.is_empty() && len <= VALUE || self.len.saturating_add(len) < VALUE
    }

    /// Adds as much of a word as fits; what does not.
    fn push<'a>(&mut self, word: &'a str) -> &'a str {
        if self.len > 0 {
            self.text.push(' ');
            self.len = self.len.saturating_add(1);
        }
        let room = VALUE.saturating_sub(self.len);
        let end = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
        let (now, rest) = word.split_at_checked(end).unwrap_or((word, ""));
        self.text.push_str(now);
        self.len = self.len.saturating_add(now.chars().count());
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(device: &str, key: &str, value: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut write = |line: fmt::Arguments<'_>| lines.push(line.to_string());
        let mut page = Page::new(&mut write);
        page.block(device);
        page.row(key, value);
        lines
    }

    #[test]
    fn a_long_value_takes_several_lines() {
        assert_eq!(lines("vda", "serial", "X 1"), ["vda           serial    X 1"]);
        assert_eq!(lines("vda", "serial", "").len(), 1);
        let long = "word ".repeat(30);
        let lines = lines("enp129s0f0np0", "part", &long);
        assert!(
            lines.len() > 1 && lines.iter().all(|line| line.starts_with("enp129s0f0np0 part  "))
        );
        let words: usize = lines.iter().map(|line| line.matches("word").count()).sum();
        assert_eq!(words, 30);
    }

    #[test]
    fn a_line_ends_with_a_part_of_the_sentence() {
        let value = "partition 10: sectors [272384, 305152), aware(swap), 64 of 32768 in use";
        let first = "vda           part      partition 10: sectors [272384, 305152), aware(swap),";
        assert_eq!(
            lines("vda", "part", value),
            [first, "vda           part      64 of 32768 in use"]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_long(value in "[ -~ü]{0,300}") {
            for line in lines("nvme0n1", "part", &value) {
                prop_assert!(line.chars().count() <= WIDTH, "{}", line);
            }
        }

        #[test]
        fn nothing_is_lost(words in prop::collection::vec("[!-~]{1,120}", 1..40)) {
            let lines = lines("sda", "part", &words.join(" "));
            let values = lines.iter().map(|line| line[DEVICE + KEY + 2..].to_string());
            prop_assert_eq!(values.collect::<String>().replace(' ', ""), words.concat());
        }

        #[test]
        fn a_word_that_fits_is_not_divided(words in prop::collection::vec("[!-~]{1,54}", 1..40)) {
            let lines = lines("sda", "part", &words.join(" "));
            let values = lines.iter().map(|line| line[DEVICE + KEY + 2..].to_string());
            prop_assert_eq!(values.collect::<Vec<_>>().join(" "), words.join(" "));
        }
    }
}
