//! Names of projects, experiments, nodes, users and images, as testbeds' data bases allow them.
//!
//! They become parts of paths, command lines and configuration files, so nothing else gets through.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no {what}: {grammar}")]
pub struct BadName {
    name: String,
    what: &'static str,
    grammar: &'static str,
}

/// Defines a type of names: what it is called, its grammar in words, and in code.
macro_rules! name {
    ($(#[doc = $doc:literal])+ $type:ident, $what:literal, $grammar:literal, $least:literal..=$most:literal,
     |$at:ident, $byte:ident| $allowed:expr) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let good = ($least..=$most).contains(&text.len())
                    && text.bytes().enumerate().all(|($at, $byte)| $allowed);
                if good {
                    return Ok(Self(text.to_owned()));
                }
                let name = text.chars().take(80).collect();
                Err(BadName { name, what: $what, grammar: $grammar })
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A project.
    Pid, "project", "a letter, then letters, digits and -; 2 to 48 characters", 2..=48,
    |at, byte| byte.is_ascii_alphabetic() || (at > 0 && (byte.is_ascii_digit() || byte == b'-'))
);
name!(
    /// A group of a project; the default group has the project's name.
    Gid, "group", "a letter, then letters, digits, - and _; 2 to 48 characters", 2..=48,
    |at, byte| byte.is_ascii_alphabetic()
        || (at > 0 && (byte.is_ascii_digit() || byte == b'-' || byte == b'_'))
);
name!(
    /// An experiment.
    Eid, "experiment", "a letter or digit, then letters, digits and -; 2 to 19 characters", 2..=19,
    |at, byte| byte.is_ascii_alphanumeric() || (at > 0 && byte == b'-')
);
name!(
    /// The experimenter's name of a node.
    Vname, "node's name in an experiment", "letters, digits, - and _; 1 to 32 characters", 1..=32,
    |_at, byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
);
name!(
    /// A machine.
    NodeId, "node", "letters, digits, - and _, no - first; 1 to 32 characters", 1..=32,
    |at, byte| byte.is_ascii_alphanumeric() || byte == b'_' || (at > 0 && byte == b'-')
);
name!(
    /// A user.
    Login, "login", "a small letter, then small letters, digits, - and _; 1 to 32 characters", 1..=32,
    |at, byte| byte.is_ascii_lowercase()
        || (at > 0 && (byte.is_ascii_digit() || byte == b'-' || byte == b'_'))
);
name!(
    /// An image of a project.
    ImageName, "image", "letters, digits, -, _, + and ., no . or - first; 1 to 64 characters", 1..=64,
    |at, byte| byte.is_ascii_alphanumeric() || byte == b'_' || (at > 0 && b"-+.".contains(&byte))
);

/// An experiment, written `<pid>/<eid>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct ExperimentId {
    /// Its project.
    pub pid: Pid,
    /// Its name.
    pub eid: Eid,
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pid, self.eid)
    }
}

impl FromStr for ExperimentId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let (pid, eid) = text.split_once('/').ok_or_else(|| BadName {
            name: text.chars().take(80).collect(),
            what: "experiment",
            grammar: "write <project>/<experiment>",
        })?;
        Ok(Self { pid: pid.parse()?, eid: eid.parse()? })
    }
}

/// An image, written `<pid>/<name>` or, with a version, `<pid>/<name>:<version>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId {
    /// The project that owns it.
    pub pid: Pid,
    /// Its name.
    pub name: ImageName,
    /// Counts from 0; the newest, if it isn't said.
    pub version: Option<u32>,
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pid, self.name)?;
        self.version.map_or(Ok(()), |version| write!(f, ":{version}"))
    }
}

impl FromStr for ImageId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = || BadName {
            name: text.chars().take(80).collect(),
            what: "image",
            grammar: "write <project>/<image> or <project>/<image>:<version>",
        };
        let (pid, rest) = text.split_once('/').ok_or_else(bad)?;
        let (name, version) = match rest.split_once(':') {
            None => (rest, None),
            Some((name, version)) => (name, Some(version.parse().map_err(|_| bad())?)),
        };
        Ok(Self { pid: pid.parse()?, name: name.parse()?, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grammars() {
        assert!("testbed".parse::<Pid>().is_ok());
        for bad in ["", "t", "1x", "-x", "te/st", "a b", "..", &"x".repeat(49)] {
            assert!(bad.parse::<Pid>().is_err(), "{bad}");
        }
        assert!("1exp".parse::<Eid>().is_ok());
        assert!("-exp".parse::<Eid>().is_err());
        assert!("_a".parse::<Vname>().is_ok());
        assert!("a.b".parse::<Vname>().is_err());
        assert!("-rf".parse::<NodeId>().is_err());
        assert!("FBSD6.1-STD+x".parse::<ImageName>().is_ok());
        for bad in [".", "..", "-f", "a/b", "a b"] {
            assert!(bad.parse::<ImageName>().is_err(), "{bad}");
        }
        let image: ImageId = "testbed/UBUNTU:3".parse().unwrap();
        assert_eq!((image.version, image.to_string().as_str()), (Some(3), "testbed/UBUNTU:3"));
        assert!("testbed/UBUNTU:x".parse::<ImageId>().is_err());
        let error = "trial".parse::<ExperimentId>().unwrap_err().to_string();
        assert!(error.contains("<project>/<experiment>"), "{error}");
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_directory(text in "[./a-z0-9 \\n\"'$-]{1,12}") {
            let names = [
                text.parse::<Pid>().is_ok(), text.parse::<Eid>().is_ok(),
                text.parse::<Vname>().is_ok(), text.parse::<NodeId>().is_ok(),
                text.parse::<Login>().is_ok(), text.parse::<ImageName>().is_ok(),
            ];
            if names.contains(&true) {
                prop_assert!(!text.contains(['/', ' ', '\n', '"', '\'', '$']));
                prop_assert!(text != "." && text != "..");
            }
        }
    }
}
