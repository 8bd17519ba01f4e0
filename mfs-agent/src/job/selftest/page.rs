//! The layout of the page.

use alloc::string::{String, ToString};
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
    /// device and the key. Lines end where words do, unless a word is longer than a line.
    pub(super) fn row(&mut self, key: &str, value: impl fmt::Display) {
        let value = value.to_string();
        let mut words = value.split_ascii_whitespace().peekable();
        // What is left of a word that fits no line.
        let mut rest = "";
        loop {
            let mut line = Line::default();
            rest = line.push(rest);
            while rest.is_empty()
                && let Some(word) = words.next_if(|word| line.is_empty() || line.has_room(word))
            {
                rest = line.push(word);
            }
            let device = &self.device;
            (self.write)(format_args!("{device:<DEVICE$} {key:<KEY$} {}", line.text));
            if rest.is_empty() && words.peek().is_none() {
                return;
            }
        }
    }
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

    /// Whether a word fits after what is there, and a blank.
    fn has_room(&self, word: &str) -> bool {
        self.len.saturating_add(word.chars().count()) < VALUE
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
    use std::vec::Vec;

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
