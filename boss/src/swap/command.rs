//! The command that nodes run at a swapout.

/// What a swapout command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// There is none: nodes are given back as they are.
    None,
    /// Saves the disk, of experiments that ask for it.
    CreateSwapimage {
        /// All that is in use, not what has changed.
        full: bool,
        /// Nothing is written, only counted.
        statistics: bool,
    },
    /// Something else, which the MFS must know. It is run whether or not disks are saved.
    Other,
}

impl Command {
    /// Understands the words of the command: the program's name, and only options that it has. One
    /// test for all who want to know (the original has two that differ).
    pub fn parse(text: &str) -> Self {
        let mut words = text.split_ascii_whitespace();
        let Some(program) = words.next() else { return Self::None };
        if program.rsplit('/').next() != Some("create-swapimage") {
            return Self::Other;
        }
        let (mut full, mut statistics) = (false, false);
        for word in words {
            match word {
                "-f" => full = true,
                "-s" => statistics = true,
                "-fs" | "-sf" => (full, statistics) = (true, true),
                _ => return Self::Other,
            }
        }
        Self::CreateSwapimage { full, statistics }
    }

    /// Whether disks are saved by it.
    pub const fn saves(self) -> bool {
        matches!(self, Self::CreateSwapimage { statistics: false, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command() {
        let save = |full, statistics| Command::CreateSwapimage { full, statistics };
        for (text, command) in [
            ("", Command::None),
            ("  ", Command::None),
            ("/usr/local/bin/create-swapimage", save(false, false)),
            ("create-swapimage -f", save(true, false)),
            ("/usr/local/bin/create-swapimage -s -f", save(true, true)),
            ("sudo /usr/local/bin/create-swapimage", Command::Other),
            ("/usr/local/bin/create-swapimage; reboot", Command::Other),
            ("/usr/local/bin/create-swapimage -x", Command::Other),
            ("/bin/true", Command::Other),
        ] {
            assert_eq!(Command::parse(text), command, "{text:?}");
        }
    }
}
