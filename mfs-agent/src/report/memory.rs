//! How much memory the program took.

use crate::file;

/// The most memory that was in use at once, in KiB. Needs `/proc`.
pub fn peak() -> Option<u64> {
    parse(&file::read_text(c"/proc/self/status").ok()?)
}

/// The value of `VmHWM` ("high water mark") in proc(5)'s `status`.
fn parse(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        assert_eq!(parse("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t    2264 kB\n"), Some(2264));
        assert_eq!(parse("VmHWM: much"), None);
        assert!(peak().unwrap() > 100);
    }
}
