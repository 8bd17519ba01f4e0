//! The list of the image's modules, `/lib/modules/index`, as the image's builder writes it.
//!
//! Lines of words. The first word says what the others are; those after a `module` line are about
//! that module:
//!
//! ```text
//! module <name> <always|hardware|dependency> <first|middle|last> [what must be loaded before …]
//! parameters <as on modprobe's command line>
//! brings <what else to load when this one is …>
//! alias <pattern of a device's modalias>
//! ```
//!
//! A module comes after all that must be loaded before it, so there can be no circle.

use alloc::vec::Vec;
use core::fmt::Arguments;

use super::pattern;

/// When a module is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// In any case.
    Always,
    /// If there is a device for it.
    ForHardware,
    /// Only with another module that needs it.
    AsDependency,
}

/// Modules of a later turn wait until those of an earlier one are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Watchdogs, which are armed before anything else is loaded.
    First,
    /// Everything else.
    Middle,
    /// What brings disks that must not get the names of the machine's own ones: USB.
    Last,
}

/// A module.
#[derive(Debug, PartialEq, Eq)]
pub struct Module<'a> {
    /// Its name; the file is `<name>.ko`.
    pub name: &'a str,
    /// What it is loaded with.
    pub parameters: &'a str,
    /// When it is loaded.
    pub load: Load,
    /// Its turn.
    pub turn: Turn,
    /// What must be loaded before, as places in [`Index::modules`]; all are before this one's.
    pub needs: Vec<usize>,
    /// What else is loaded when this one is.
    pub brings: Vec<usize>,
}

/// The list.
#[derive(Debug, Default)]
pub struct Index<'a> {
    modules: Vec<Module<'a>>,
    /// Patterns and the places of their modules.
    aliases: Vec<(&'a str, usize)>,
}

impl<'a> Index<'a> {
    /// Reads the list. What isn't understood is left out and told to `warn`.
    pub fn parse(text: &'a str, warn: &mut dyn FnMut(Arguments<'_>)) -> Self {
        let mut index = Self::default();
        let mut brings = Vec::new();
        // A line about a module that wasn't understood is not about the one before.
        let mut current = None;
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            if key == "module" {
                current = index.module(value, warn);
                continue;
            }
            let Some(place) = current else { continue };
            match key {
                "alias" => index.aliases.push((value, place)),
                "brings" => brings.push((place, value)),
                "parameters" => {
                    if let Some(module) = index.modules.get_mut(place) {
                        module.parameters = value;
                    }
                }
                _ => warn(format_args!("cannot read {line:?}")),
            }
        }
        // What a module brings may come after it.
        for (place, names) in brings {
            let others = index.places(names.split_whitespace(), warn);
            if let Some(module) = index.modules.get_mut(place) {
                module.brings = others;
            }
        }
        index
    }

    /// Adds the module of a line; its place.
    fn module(&mut self, line: &'a str, warn: &mut dyn FnMut(Arguments<'_>)) -> Option<usize> {
        let mut words = line.split_whitespace();
        let module = (|| {
            let name = words.next().filter(|name| !name.contains(['/', '.']))?;
            let load = match words.next()? {
                "always" => Load::Always,
                "hardware" => Load::ForHardware,
                "dependency" => Load::AsDependency,
                _ => return None,
            };
            let turn = match words.next()? {
                "first" => Turn::First,
                "middle" => Turn::Middle,
                "last" => Turn::Last,
                _ => return None,
            };
            let (needs, brings) = (Vec::new(), Vec::new());
            Some(Module { name, parameters: "", load, turn, needs, brings })
        })();
        let Some(mut module) = module else {
            warn(format_args!("cannot read the module {line:?}"));
            return None;
        };
        // Only those before this one are known here, so none can wait for itself.
        module.needs = self.places(words, warn);
        self.modules.push(module);
        self.modules.len().checked_sub(1)
    }

    fn places(
        &self,
        names: impl Iterator<Item = &'a str>,
        warn: &mut dyn FnMut(Arguments<'_>),
    ) -> Vec<usize> {
        let mut places = Vec::new();
        for name in names {
            match self.modules.iter().position(|module| module.name == name) {
                Some(place) => places.push(place),
                None => warn(format_args!("there is no module {name}")),
            }
        }
        places
    }

    /// All modules.
    pub fn modules(&self) -> &[Module<'a>] {
        &self.modules
    }

    /// The modules for the device that says this of itself, as places in [`Index::modules`].
    pub fn matching(&self, modalias: &str) -> impl Iterator<Item = usize> {
        let fits = |pattern: &str| pattern::matches(pattern.as_bytes(), modalias.as_bytes());
        self.aliases.iter().filter(move |(pattern, _)| fits(pattern)).map(|(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "\
module watchdog dependency middle
module i6300esb always first watchdog
parameters heartbeat=60 nowayout=0
alias pci:v00008086d000025ABsv*sd*bc*sc*i*
module mlx4_core hardware middle
brings mlx4_en
alias pci:v000015B3d00001003sv*sd*bc*sc*i*
alias pci:v000015B3d00001004sv*sd*bc*sc*i*
module mlx4_en dependency middle mlx4_core
module xhci_pci hardware last
alias pci:v*d*sv*sd*bc0Csc03i30*
";

    fn parse(text: &str) -> (Index<'_>, String) {
        let mut warnings = String::new();
        let mut warn = |warning: Arguments<'_>| {
            warnings.push_str(&warning.to_string());
            warnings.push('\n');
        };
        let index = Index::parse(text, &mut warn);
        (index, warnings)
    }

    #[test]
    fn the_list_is_read() {
        let (index, warnings) = parse(TEXT);
        assert_eq!(warnings, "");
        let [watchdog, i6300esb, mlx4_core, mlx4_en, xhci] = index.modules() else { panic!() };
        assert_eq!((watchdog.name, watchdog.load), ("watchdog", Load::AsDependency));
        assert_eq!(i6300esb.needs, [0]);
        assert_eq!((i6300esb.load, i6300esb.turn), (Load::Always, Turn::First));
        assert_eq!(i6300esb.parameters, "heartbeat=60 nowayout=0");
        assert_eq!((&mlx4_core.brings[..], &mlx4_en.needs[..]), (&[3][..], &[2][..]));
        assert_eq!((xhci.load, xhci.turn), (Load::ForHardware, Turn::Last));
        let places = |modalias| index.matching(modalias).collect::<Vec<_>>();
        assert_eq!(places("pci:v000015B3d00001004sv1sd2bc02sc00i00"), [2]);
        assert_eq!(places("pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30"), [4]);
        assert_eq!(places("pci:"), []);
    }

    #[test]
    fn what_is_odd_is_left_out() {
        let (index, warnings) = parse(
            "alias x*\nmodule ../x always middle\nalias y*\nmodule a sometimes middle\n\
             module b always\nmodule c always middle c d\nfrob 1\nbrings e\n",
        );
        assert_eq!(index.modules().len(), 1);
        assert_eq!(index.modules()[0].needs, []);
        assert_eq!(index.matching("y1").count(), 0);
        assert_eq!(
            warnings,
            "cannot read the module \"../x always middle\"\n\
             cannot read the module \"a sometimes middle\"\n\
             cannot read the module \"b always\"\n\
             there is no module c\nthere is no module d\ncannot read \"frob 1\"\n\
             there is no module e\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_survived(
            text in "((module|alias|brings|parameters|x)( (a|b|always|first|last|\\PC{0,9})){0,5}\n){0,30}"
        ) {
            let (index, _) = parse(&text);
            for (place, module) in index.modules().iter().enumerate() {
                prop_assert!(module.needs.iter().all(|need| *need < place));
                prop_assert!(module.brings.iter().all(|other| *other < index.modules().len()));
            }
            let _ = index.matching(&text).count();
        }
    }
}
