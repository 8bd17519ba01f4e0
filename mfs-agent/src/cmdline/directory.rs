//! A directory of the file servers, as a word names it.

use alloc::string::String;
use core::fmt;

/// The longest path, in bytes.
const LONGEST: usize = 255;

/// The path of a directory below `/proj` or `/groups`. Only links can lead elsewhere, and they stay
/// where the servers' directories are ([`crate::project::tree`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerDirectory(String);

/// Why a path is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryFault {
    /// Longer than it may be.
    Length,
    /// Neither in `/proj` nor in `/groups`.
    Elsewhere,
    /// A component is empty, `.` or `..`.
    Component,
    /// A character that may not be there, by its position.
    Character(usize),
}

impl fmt::Display for DirectoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "must have at most {LONGEST} characters"),
            Self::Elsewhere => f.write_str("must be a directory below /proj or /groups"),
            Self::Component => f.write_str("must have no empty part and neither . nor .."),
            Self::Character(at) => {
                write!(f, "has a character that is not allowed at position {at}")
            }
        }
    }
}

impl ServerDirectory {
    /// Checks a path. A slash at its end is left out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, DirectoryFault> {
        if text.len() > LONGEST {
            return Err(DirectoryFault::Length);
        }
        let path = text.strip_suffix('/').unwrap_or(text);
        let below = path.strip_prefix("/proj/").or_else(|| path.strip_prefix("/groups/"));
        let below = below.ok_or(DirectoryFault::Elsewhere)?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./+".contains(&byte);
        if let Some(at) = path.bytes().position(|byte| !allowed(byte)) {
            return Err(DirectoryFault::Character(at));
        }
        if below.split('/').any(|component| matches!(component, "" | "." | "..")) {
            return Err(DirectoryFault::Component);
        }
        Ok(Self(path.into()))
    }

    /// The path, which begins with a slash and doesn't end with one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DirectoryFault::{Character, Component, Elsewhere, Length};
    use proptest::prelude::*;

    #[test]
    fn directories_of_the_servers_and_no_others() {
        for (good, path) in [
            ("/proj/testbed/images/.capture-7/", "/proj/testbed/images/.capture-7"),
            ("/groups/testbed/sub/a_b+c/..d", "/groups/testbed/sub/a_b+c/..d"),
            ("/proj/x", "/proj/x"),
        ] {
            assert_eq!(ServerDirectory::new(good).unwrap().as_str(), path);
        }
        let longest = std::format!("/proj/{}", "x".repeat(249));
        assert!(ServerDirectory::new(&longest).is_ok());
        for (bad, fault) in [
            ("", Elsewhere),
            ("/", Elsewhere),
            ("/proj", Elsewhere),
            ("/proj/", Elsewhere),
            ("proj/x", Elsewhere),
            ("//proj/x", Elsewhere),
            ("/project/x", Elsewhere),
            ("/users/mike", Elsewhere),
            ("/proj//", Component),
            ("/proj//x", Component),
            ("/proj/x//", Component),
            ("/proj/./x", Component),
            ("/proj/..", Component),
            ("/proj/x/../../etc/", Component),
            ("/proj/a b", Character(7)),
            ("/proj/\u{e4}", Character(6)),
            ("/proj/x\0", Character(7)),
            (&std::format!("{longest}x"), Length),
        ] {
            assert_eq!(ServerDirectory::new(bad), Err(fault), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_up(text in "(/proj/|/groups/)?[-./a+_ ]{0,20}") {
            if let Ok(directory) = ServerDirectory::new(&text) {
                let path = directory.as_str();
                prop_assert!(path.starts_with("/proj/") || path.starts_with("/groups/"));
                prop_assert!(path.split('/').skip(1).all(|part| !matches!(part, "" | "." | "..")));
            }
        }
    }
}
