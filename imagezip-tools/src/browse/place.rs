//! The operand that says where in the images a file is: `2:/etc/passwd`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::{bail, ensure};

/// A place in images: a partition, and a path in its file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The partition's number; `None` if the images are of a single file system, or the user leaves
    /// open which partition.
    pub partition: Option<u32>,
    /// The path; empty if none was given.
    pub path: Vec<u8>,
}

impl Place {
    /// The place that an operand says: an optional number, a colon, and a path that is empty or
    /// begins with a slash. `None` if the operand has another form.
    pub fn parse(operand: &OsStr) -> Option<Self> {
        let bytes = operand.as_bytes();
        let colon = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = bytes.split_at(colon);
        let path = rest.strip_prefix(b":")?;
        if !path.is_empty() && !path.starts_with(b"/") {
            return None;
        }
        let number = str::from_utf8(digits).ok()?;
        let partition = if number.is_empty() { None } else { Some(number.parse().ok()?) };
        Some(Self { partition, path: path.to_vec() })
    }

    /// Images, and a place in them if the last operand is one.
    ///
    /// # Errors
    /// If there is a place before the last operand, or no image.
    pub fn split(operands: &[OsString]) -> anyhow::Result<(Vec<PathBuf>, Option<Self>)> {
        let (place, images) = match operands.split_last() {
            Some((last, images)) => match Self::parse(last) {
                Some(place) => (Some(place), images),
                None => (None, operands),
            },
            None => (None, operands),
        };
        if let Some(early) = images.iter().find(|operand| Self::parse(operand).is_some()) {
            bail!(
                "{0}: a place in the images comes last, and there can be one; \
                 an image of this name is written ./{0}",
                early.display()
            );
        }
        ensure!(!images.is_empty(), "no image is given: IMAGE... [[PARTITION]:PATH] is expected");
        Ok((images.iter().map(PathBuf::from).collect(), place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Option<(Option<u32>, String)> {
        let place = Place::parse(OsStr::new(text))?;
        Some((place.partition, String::from_utf8(place.path).unwrap()))
    }

    #[test]
    fn places_and_images() {
        assert_eq!(parse("2:/etc/passwd"), Some((Some(2), "/etc/passwd".into())));
        assert_eq!(parse(":/"), Some((None, "/".into())));
        assert_eq!(parse("1:"), Some((Some(1), String::new())));
        assert_eq!(parse(":"), Some((None, String::new())));
        for image in ["a.ndz", "/a:/b", "./2:/a", "2", "2:a", "a2:/", "-:/", "99999999999:/", ""] {
            assert_eq!(parse(image), None, "{image}");
        }
    }

    #[test]
    fn the_place_comes_last() {
        let split = |operands: &[&str]| {
            Place::split(&operands.iter().map(OsString::from).collect::<Vec<_>>())
        };
        let (images, place) = split(&["a.ndz", "b.ndz", "2:/x"]).unwrap();
        assert_eq!((images.len(), place.unwrap().partition), (2, Some(2)));
        assert_eq!(split(&["a.ndz"]).unwrap().1, None);
        assert!(split(&["2:/x"]).is_err() && split(&["2:/x", "a.ndz"]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_built_is_parsed(number: Option<u32>, path in "(/[^\0]*)?") {
            let text = format!("{}:{path}", number.map(|n| n.to_string()).unwrap_or_default());
            prop_assert_eq!(parse(&text), Some((number, path)));
        }
    }
}
