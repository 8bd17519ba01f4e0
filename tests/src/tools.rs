//! The command-line tools as operators get them.

use std::ffi::OsString;
use std::sync::OnceLock;

/// The names of all tools that the reference has, too.
pub const NAMES: [&str; 7] = [
    "imageundelta",
    "imagedelta",
    "imageunzip",
    "imagerezip",
    "imagehash",
    "imagedump",
    "imagezip",
];

/// A `PATH` on which the tools come first. They are built if they are not up to date.
///
/// # Panics
/// If they can't be built.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub fn path() -> OsString {
    static PATH: OnceLock<OsString> = OnceLock::new();
    let built = || {
        let tools = xtask::tools::build().unwrap_or_else(|error| panic!("{error:#}"));
        let mut path = tools.directory.into_os_string();
        path.push(":/usr/sbin:/usr/bin:/sbin:/bin");
        path
    };
    PATH.get_or_init(built).clone()
}
