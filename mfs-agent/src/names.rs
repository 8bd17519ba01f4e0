//! Names of projects, experiments and nodes, as the testbed's data base allows them.
//!
//! They become parts of paths, so nothing else gets through.

use core::fmt;

use heapless::String;

/// The longest name of any kind.
pub const LONGEST: usize = 48;

/// What a name names; each has a grammar of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A project: a letter, then letters, digits and `-`; 2 to 48 in all.
    Project,
    /// An experiment: a letter or digit, then letters, digits and `-`; 2 to 19 in all.
    Experiment,
    /// A node of an experiment: letters, digits, `_` and `-`; 1 to 32 in all.
    Node,
}

/// A name that follows its grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String<LONGEST>);

/// Why a name is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Too short or too long.
    Length {
        /// The fewest characters.
        least: usize,
        /// The most characters.
        most: usize,
    },
    /// A character that may not be where it is, by its position.
    Character(usize),
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { least, most } => write!(f, "must have {least} to {most} characters"),
            Self::Character(at) => {
                write!(f, "has a character that is not allowed at position {at}")
            }
        }
    }
}

impl Name {
    /// Checks a name.
    pub fn new(kind: NameKind, text: &str) -> Result<Self, NameFault> {
        let (least, most) = match kind {
            NameKind::Project => (2, LONGEST),
            NameKind::Experiment => (2, 19),
            NameKind::Node => (1, 32),
        };
        let length = NameFault::Length { least, most };
        if text.len() < least || text.len() > most {
            return Err(length);
        }
        let allowed = |(at, byte): (usize, u8)| match kind {
            NameKind::Project if at == 0 => byte.is_ascii_alphabetic(),
            NameKind::Experiment if at == 0 => byte.is_ascii_alphanumeric(),
            NameKind::Node if byte == b'_' => true,
            _ => byte.is_ascii_alphanumeric() || byte == b'-',
        };
        match text.bytes().enumerate().find(|&character| !allowed(character)) {
            Some((at, _)) => Err(NameFault::Character(at)),
            None => String::try_from(text).map(Self).map_err(|_| length),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_directory() {
        for bad in ["..", "a/b", "../x", "a b", "a\0", ".", "ü1"] {
            for kind in [NameKind::Project, NameKind::Experiment, NameKind::Node] {
                assert!(Name::new(kind, bad).is_err(), "{kind:?} {bad:?}");
            }
        }
    }

    #[test]
    fn each_kind_has_its_grammar() {
        let name =
            |kind, text| Name::new(kind, text).map(|name| std::string::ToString::to_string(&name));
        assert!(name(NameKind::Project, "testbed").is_ok());
        assert_eq!(name(NameKind::Project, "1st"), Err(NameFault::Character(0)));
        assert_eq!(name(NameKind::Project, "a"), Err(NameFault::Length { least: 2, most: 48 }));
        assert!(name(NameKind::Experiment, "1st").is_ok());
        assert_eq!(name(NameKind::Experiment, "-1st"), Err(NameFault::Character(0)));
        assert!(name(NameKind::Experiment, "a23456789012345678x9").is_err());
        assert!(name(NameKind::Node, "n").is_ok());
        assert!(name(NameKind::Node, "-node_1").is_ok());
        assert_eq!(name(NameKind::Node, "node.1"), Err(NameFault::Character(4)));
        assert_eq!(name(NameKind::Node, ""), Err(NameFault::Length { least: 1, most: 32 }));
    }
}
