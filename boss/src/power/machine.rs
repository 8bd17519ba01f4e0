//! What a driver is told of a machine.

use std::fmt;

use crate::names::NodeId;

/// A machine, the driver of its power, and that driver's settings.
///
/// Settings name files with passwords and never are passwords; `Debug` shows only their keys all
/// the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Machine {
    node: NodeId,
    driver: String,
    settings: Vec<(String, String)>,
}

/// What of a machine's description is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A driver's name is 1 to 32 lower-case letters, digits, `_` and `-`, and begins with a letter.
    #[error("{0:?} is not the name of a power driver")]
    Driver(String),
    /// A setting's key is 1 to 48 capital letters, digits and `_`, and begins with a letter.
    #[error("{0:?} is not the name of a setting of a power driver")]
    Key(String),
    /// A setting's value is at most 4096 bytes without control characters.
    #[error("the value of the power driver's setting {0} is too long or has control characters")]
    Value(String),
    /// A setting is there twice.
    #[error("the power driver's setting {0} is there twice")]
    Twice(String),
}

impl Machine {
    /// Checks a machine's description. The driver sees the setting `ADDRESS` as `POWER_ADDRESS`.
    ///
    /// # Errors
    /// What is wrong. Nothing that is let through is an option, another path or another variable.
    pub fn new<K, V>(
        node: NodeId,
        driver: &str,
        settings: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Fault>
    where
        K: Into<String>,
        V: Into<String>,
    {
        if !is_driver(driver) {
            return Err(Fault::Driver(driver.to_owned()));
        }
        let mut checked: Vec<(String, String)> = Vec::new();
        for (key, value) in settings {
            let (key, value) = (key.into(), value.into());
            let capital = |byte: u8| byte.is_ascii_uppercase();
            let more = |byte: u8| capital(byte) || byte.is_ascii_digit() || byte == b'_';
            if !is_word(&key, 48, capital, more) {
                return Err(Fault::Key(key));
            }
            if value.len() > 4096 || value.chars().any(char::is_control) {
                return Err(Fault::Value(key));
            }
            if checked.iter().any(|(other, _)| *other == key) {
                return Err(Fault::Twice(key));
            }
            checked.push((key, value));
        }
        Ok(Self { node, driver: driver.to_owned(), settings: checked })
    }

    /// The node's id.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// The driver's name.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// The variables that the driver sees.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, &str)> {
        self.settings.iter().map(|(key, value)| (format!("POWER_{key}"), value.as_str()))
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.settings.iter().map(|(key, _)| key).collect();
        f.debug_struct("Machine")
            .field("node", &self.node)
            .field("driver", &self.driver)
            .field("settings", &keys)
            .finish()
    }
}

/// Whether a setting's value is nobody's to read. A file's name is none, only what is in the file.
pub(crate) fn is_secret(key: &str) -> bool {
    let words = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN"];
    words.iter().any(|word| key.contains(word)) && !key.ends_with("_FILE")
}

/// Whether a driver can have that name.
pub(super) fn is_driver(name: &str) -> bool {
    let small = |byte: u8| byte.is_ascii_lowercase();
    let more = |byte: u8| small(byte) || byte.is_ascii_digit() || b"_-".contains(&byte);
    is_word(name, 32, small, more)
}

/// Whether a text is one to `most` bytes, the first and the others such as they may be.
fn is_word(text: &str, most: usize, first: fn(u8) -> bool, more: impl Fn(u8) -> bool) -> bool {
    text.len() <= most && text.bytes().next().is_some_and(first) && text.bytes().all(more)
}
