//! The address of a network card.

use std::fmt;
use std::str::FromStr;

/// The address of one network card; not of a group of them, and not of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

/// A text that is no address of a network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be six bytes in hexadecimal with : or - between them, the address of one card")]
pub struct MacError;

impl Mac {
    /// With dashes, as iPXE and PXELINUX write it.
    pub fn dashed(self) -> String {
        self.to_string().replace(':', "-")
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut parts = text.split(separator);
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            let part = parts.next().ok_or(MacError)?;
            if part.len() != 2 || !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(MacError);
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| MacError)?;
        }
        let [first, ..] = bytes;
        if parts.next().is_some() || first & 1 == 1 || bytes == [0; 6] {
            return Err(MacError);
        }
        Ok(Self(bytes))
    }
}

/// In lower case with colons.
impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_it_are_the_same() {
        let mac: Mac = "52:54:00:AB:cd:01".parse().unwrap();
        assert_eq!("52-54-00-ab-CD-01".parse(), Ok(mac));
        assert_eq!(mac.to_string(), "52:54:00:ab:cd:01");
        assert_eq!(mac.dashed(), "52-54-00-ab-cd-01");
    }

    #[test]
    fn nothing_else_is_a_cards_address() {
        for bad in [
            "",
            "52:54:00:12:34",
            "52:54:00:12:34:56:78",
            "52:54:00:12:34:5",
            "52:54:00:12:34:+5",
            "52:54-00:12:34:56",
            "525400123456",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "52:54:00:12:34:5ü",
        ] {
            assert_eq!(bad.parse::<Mac>(), Err(MacError), "{bad}");
        }
    }
}
