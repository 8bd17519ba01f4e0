//! The grammar of LVM's metadata: `name { … }` and `name = value` (docs/format.md, "LVM").
//!
//! Nothing is built from the text: a section is the part of it between two braces, and is read
//! again whenever something in it is looked for. Sections in sections are skipped by counting
//! braces, so no depth of them costs more than its length.

#[cfg(test)]
mod tests;

/// The deepest that sections lie in each other; in what LVM writes, it is 5.
const MAX_DEPTH: usize = 16;

/// The text is not of the grammar, or has not what it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What can be read of the text.
pub(super) type Read<T> = Result<T, Malformed>;

/// What stands between two braces, or the whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section<'a>(&'a [u8]);

/// What stands between two brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List<'a>(&'a [u8]);

/// What has a name in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Section(Section<'a>),
    Word(&'a [u8]),
    /// What stands between two quotation marks, with the backslashes that are in it.
    Text(&'a [u8]),
    List(List<'a>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a [u8]),
    Text(&'a [u8]),
    Mark(u8),
}

impl<'a> Section<'a> {
    /// A whole text; a zero byte ends it.
    pub(super) fn new(text: &'a [u8]) -> Read<Self> {
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        let (text, rest) = text.split_at_checked(end).ok_or(Malformed)?;
        rest.iter().all(|byte| *byte == 0).then_some(Self(text)).ok_or(Malformed)
    }

    /// Everything with a name, in order.
    pub(super) fn items(self) -> Items<'a> {
        Items(Tokens(self.0))
    }

    /// What has this name, if anything has. Two of the same name are none.
    pub(super) fn find(self, name: &[u8]) -> Read<Option<Item<'a>>> {
        let mut found = None;
        for item in self.items() {
            let (key, item) = item?;
            if key == name && found.replace(item).is_some() {
                return Err(Malformed);
            }
        }
        Ok(found)
    }

    /// The section of this name; an empty one if there is none.
    pub(super) fn section(self, name: &[u8]) -> Read<Self> {
        match self.find(name)? {
            Some(Item::Section(section)) => Ok(section),
            Some(_) => Err(Malformed),
            None => Ok(Self(&[])),
        }
    }

    /// The number of this name.
    pub(super) fn number(self, name: &[u8]) -> Read<u64> {
        self.find(name)?.and_then(Item::number).ok_or(Malformed)
    }

    /// The text of this name.
    pub(super) fn text(self, name: &[u8]) -> Read<&'a [u8]> {
        match self.find(name)? {
            Some(Item::Text(text)) => Ok(text),
            _ => Err(Malformed),
        }
    }

    /// Whether the list of this name has nothing but texts among `known`. No list is an empty one.
    pub(super) fn has_only(self, name: &[u8], known: &[&[u8]]) -> Read<bool> {
        let mut only = true;
        for item in self.list(name)? {
            only &= matches!(item?, Item::Text(text) if known.contains(&text));
        }
        Ok(only)
    }

    /// Whether the list of this name has the text `wanted`.
    pub(super) fn has(self, name: &[u8], wanted: &[u8]) -> Read<bool> {
        let mut found = false;
        for item in self.list(name)? {
            found |= item? == Item::Text(wanted);
        }
        Ok(found)
    }

    fn list(self, name: &[u8]) -> Read<Elements<'a>> {
        match self.find(name)? {
            Some(Item::List(list)) => Ok(list.elements()),
            Some(_) => Err(Malformed),
            None => Ok(Elements(Tokens(&[]))),
        }
    }
}

impl<'a> List<'a> {
    /// The elements; none is a list or a section.
    pub(super) fn elements(self) -> Elements<'a> {
        Elements(Tokens(self.0))
    }
}

impl Item<'_> {
    /// The number that it is.
    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Word(digits) => core::str::from_utf8(digits).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// The items of a section. After an error there is no more.
pub(super) struct Items<'a>(Tokens<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Read<(&'a [u8], Item<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.next()?;
        let item = name.and_then(|name| self.item(name));
        if item.is_err() {
            self.0 = Tokens(&[]);
        }
        Some(item)
    }
}

impl<'a> Items<'a> {
    fn item(&mut self, name: Token<'a>) -> Read<(&'a [u8], Item<'a>)> {
        let (Token::Word(name) | Token::Text(name)) = name else { return Err(Malformed) };
        let tokens = &mut self.0;
        let item = match tokens.need()? {
            Token::Mark(b'{') => Item::Section(Section(tokens.until_closed(b'{', b'}')?)),
            Token::Mark(b'=') => match tokens.need()? {
                Token::Word(word) => Item::Word(word),
                Token::Text(text) => Item::Text(text),
                Token::Mark(b'[') => Item::List(List(tokens.until_closed(b'[', b']')?)),
                Token::Mark(_) => return Err(Malformed),
            },
            _ => return Err(Malformed),
        };
        Ok((name, item))
    }
}

/// The elements of a list. After an error there is no more.
pub(super) struct Elements<'a>(Tokens<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Read<Item<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = match self.0.next()? {
            Ok(Token::Word(word)) => Ok(Item::Word(word)),
            Ok(Token::Text(text)) => Ok(Item::Text(text)),
            _ => Err(Malformed),
        };
        let ends = match self.0.next() {
            None => true,
            Some(Ok(Token::Mark(b','))) => false,
            Some(_) => {
                self.0 = Tokens(&[]);
                return Some(Err(Malformed));
            }
        };
        if ends || element.is_err() {
            self.0 = Tokens(&[]);
        }
        Some(element)
    }
}

/// The tokens of a text.
struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    /// What is there before the first byte that is `wanted`, or all; it is taken away.
    fn take_until(&mut self, wanted: fn(u8) -> bool) -> &'a [u8] {
        let len = self.0.iter().position(|byte| wanted(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    fn need(&mut self) -> Read<Token<'a>> {
        self.next().unwrap_or(Err(Malformed))
    }

    /// What is there before the mark that closes what was opened; both are taken away.
    fn until_closed(&mut self, open: u8, close: u8) -> Read<&'a [u8]> {
        let start = self.0;
        let mut depth = 1_usize;
        loop {
            let before = self.0.len();
            match self.need()? {
                Token::Mark(mark) if mark == open => depth = depth.saturating_add(1),
                Token::Mark(mark) if mark == close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                // The mark is the last byte that was taken, white space the ones before it.
                let len = start.len().saturating_sub(before);
                return start.get(..len).ok_or(Malformed);
            }
            if depth > MAX_DEPTH {
                return Err(Malformed);
            }
        }
    }

    fn quoted(&mut self, quote: u8) -> Read<&'a [u8]> {
        let start = self.0;
        let mut escaped = false;
        for (len, byte) in start.iter().enumerate() {
            if *byte == quote && !escaped {
                self.0 = start.get(len..).and_then(|rest| rest.get(1..)).unwrap_or_default();
                return start.get(..len).ok_or(Malformed);
            }
            escaped = *byte == b'\\' && !escaped;
        }
        Err(Malformed)
    }
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b'=' | b',')
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Read<Token<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.take_until(|byte| !byte.is_ascii_whitespace());
            match self.0.split_first()? {
                (b'#', _) => {
                    self.take_until(|byte| byte == b'\n');
                }
                (quote @ (b'"' | b'\''), rest) => {
                    self.0 = rest;
                    return Some(self.quoted(*quote).map(Token::Text));
                }
                (mark, rest) if is_mark(*mark) => {
                    self.0 = rest;
                    return Some(Ok(Token::Mark(*mark)));
                }
                _ => {
                    let ends = |byte: u8| {
                        byte.is_ascii_whitespace()
                            || is_mark(byte)
                            || matches!(byte, b'#' | b'"' | b'\'')
                    };
                    return Some(Ok(Token::Word(self.take_until(ends))));
                }
            }
        }
    }
}
