//! Loading kernel modules.
//!
//! `/lib/modules/order` has a line per module: the file's name in `/lib/modules`, and parameters
//! after a space. The builder of the image has put them in an order in which each finds what it
//! depends on. `#` begins a comment line.

use alloc::ffi::CString;
use alloc::string::String;
use alloc::vec::Vec;

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::failure::Os;
use crate::file;

const DIRECTORY: &str = "/lib/modules";

/// A line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    file: &'a str,
    parameters: &'a str,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let line = line.trim();
    let (file, parameters) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let good = !file.is_empty() && !file.starts_with('#') && !file.contains('/');
    good.then_some(Line { file, parameters: parameters.trim_start() })
}

/// Loads the modules of the list. One that can't be loaded is logged; whether it was needed
/// shows when its device, protocol or file system is asked for. `beat` is called for each.
pub fn load_all(beat: &dyn Fn()) {
    let list = match file::read_text(alloc::format!("{DIRECTORY}/order")) {
        Ok(list) => list,
        Err(Errno::NOENT) => return log::info!("no modules to load"),
        Err(errno) => return log::error!("cannot read {DIRECTORY}/order: {}", Os(errno)),
    };
    let mut loaded = 0_usize;
    let mut failed: Vec<String> = Vec::new();
    for line in list.lines().filter_map(parse) {
        match load(&line) {
            Ok(()) | Err(Errno::EXIST) => loaded = loaded.saturating_add(1),
            Err(errno) => {
                log::warn!("module {}: {}", line.file, Os(errno));
                failed.push(line.file.into());
            }
        }
        beat();
    }
    if failed.is_empty() {
        log::info!("{loaded} modules loaded");
    } else {
        log::warn!("{loaded} modules loaded, not: {}", failed.join(" "));
    }
}

fn load(line: &Line<'_>) -> Result<(), Errno> {
    let module = file::open(alloc::format!("{DIRECTORY}/{}", line.file))?;
    let parameters = CString::new(line.parameters).map_err(|_| Errno::INVAL)?;
    finit_module(module, &parameters, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let line = |file, parameters| Some(Line { file, parameters });
        assert_eq!(parse("nfs.ko"), line("nfs.ko", ""));
        assert_eq!(parse("softdog.ko  a=1 b=2 \r"), line("softdog.ko", "a=1 b=2"));
        for none in ["", "  ", "# comment", "../../x.ko"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
