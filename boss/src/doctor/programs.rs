//! Programs that boss runs, and files that nodes boot.

use super::Findings;
use super::files::{fault_of_file, fault_of_program};
use crate::config::Config;

/// Tools, kernel and initramfs, and the loaders.
pub(super) fn examine(findings: &mut Findings, config: &Config) {
    for name in ["imagehash", "imagedump"] {
        let path = config.directories.tools.join(name);
        match fault_of_program(&path) {
            Some(fault) => {
                let advice = "cargo xtask tools makes the image tools; tools in [directories] \
                              says where they are, chmod 755 lets boss run them";
                findings.error("tools", fault, advice);
            }
            None => findings.ok("tools", format_args!("{} is there", path.display())),
        }
    }
    let boot = &config.directories.boot;
    for name in [&config.boot.kernel, &config.boot.initramfs] {
        let path = boot.join(name);
        match fault_of_file(&path) {
            Some(fault) => {
                let advice = "cargo xtask mfs makes kernel and initramfs; [boot] and boot in \
                              [directories] say where they are";
                findings.error("boot files", fault, advice);
            }
            None => findings.ok("boot files", format_args!("{} is there", path.display())),
        }
    }
    for name in ["undionly.kpxe", "snponly.efi"] {
        if let Some(fault) = fault_of_file(&boot.join(name)) {
            let advice = "it is in Debian's package ipxe; nodes need it, unless another TFTP \
                          server has it";
            findings.warning("boot files", fault, advice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Findings, Verdict};
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_missing_or_anybodys_is_told() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path();
        let text = format!(
            "address = '10.0.0.1'\n[directories]\ntools = '{0}'\nboot = '{0}'",
            root.display()
        );
        let config: Config = toml::from_str(&text).unwrap();
        let look = || {
            let mut findings = Findings::default();
            examine(&mut findings, &config);
            let bad = findings.0.into_iter().filter(|one| one.verdict != Verdict::Ok);
            bad.map(|one| one.what).collect::<Vec<_>>()
        };
        assert_eq!(look().len(), 6);
        let mode = |name: &str, mode| {
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        let all = "imagehash imagedump vmlinuz initramfs.cpio.zst undionly.kpxe snponly.efi";
        for name in all.split(' ') {
            fs::write(root.join(name), "x").unwrap();
            mode(name, 0o755);
        }
        assert_eq!(look(), Vec::<String>::new());
        mode("imagehash", 0o644);
        mode("imagedump", 0o777);
        fs::write(root.join("vmlinuz"), "").unwrap();
        let said = look().join("\n");
        for what in ["imagehash is not executable", "imagedump can be changed", "vmlinuz is empty"]
        {
            assert!(said.contains(what), "{said}");
        }
    }
}
