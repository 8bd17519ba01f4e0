//! `boss doctor`, at a good site and at bad ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::site::{Site, said};

/// All that a site needs.
fn good() -> Site {
    let site = Site::with_experiment();
    for tool in ["imagehash", "imagedump"] {
        site.program(&format!("tools/{tool}"), "#!/bin/sh\n");
    }
    for file in ["vmlinuz", "initramfs.cpio.zst", "undionly.kpxe", "snponly.efi"] {
        fs::write(site.path(&format!("boot/{file}")), "x").unwrap();
    }
    let output = site.boss("sitevar set swap/swapout_command create-swapimage");
    assert!(output.status.success(), "{}", said(&output));
    site
}

/// What is not as it should be: verdict, check and what.
fn bad(site: &Site) -> Vec<String> {
    let findings = site.json("doctor");
    let bad = findings.as_array().unwrap().iter().filter(|one| one["verdict"] != "ok");
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    bad.map(|one| {
        // There is always something to do about it.
        assert!(!text(one, "advice").is_empty(), "{one}");
        format!("{} {}: {}", text(one, "verdict"), text(one, "check"), text(one, "what"))
    })
    // How full the machine of the tests is, and what it asks itself over the network.
    .filter(|line| !line.contains("free space") && !line.starts_with("warning exports"))
    .collect()
}

#[test]
fn a_good_site_has_no_errors() {
    let site = good();
    assert_eq!(bad(&site), Vec::<String>::new());
    let output = site.boss("doctor");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("ok       nodes: "), "{}", said(&output));
}

/// What is done to a site, whether that is an error, and what is said of it.
type Damage<'a> = (&'a dyn Fn(&Site), bool, &'a str);

#[test]
fn what_is_wrong_is_told_and_only_that() {
    let mode = |site: &Site, name: &str, mode| {
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let damages: [Damage<'_>; 12] = [
        (&|site| fs::remove_file(site.path("tools/imagehash")).unwrap(), true, "error tools:"),
        (&|site| mode(site, "tools/imagedump", 0o644), true, "not executable"),
        (&|site| fs::remove_file(site.path("boot/vmlinuz")).unwrap(), true, "error boot files:"),
        (&|site| fs::remove_file(site.path("boot/snponly.efi")).unwrap(), false, "snponly.efi"),
        (&|site| fs::remove_file(site.path("power/fake")).unwrap(), true, "error nodes: pc1"),
        (&|site| mode(site, "proj", 0o777), true, "error directories:"),
        (&|site| mode(site, "proj/testbed/images/sigs", 0o755), true, "images/sigs"),
        (&|site| mode(site, "proj/testbed/exp/trial/swapinfo", 0o2775), true, "swapinfo"),
        (&|site| fs::remove_dir(site.path("groups")).unwrap(), true, "groups: No such file"),
        (&|site| drop(site.boss("sitevar unset swap/swapout_command")), false, "is empty"),
        (
            &|site| site.configure("address = '127.0.0.1'", "address = '192.0.2.1'"),
            true,
            "192.0.2.1",
        ),
        (&|site| fs::write(site.path("boss.db"), "no data base").unwrap(), true, "error database:"),
    ];
    for (damage, is_error, words) in damages {
        let site = good();
        damage(&site);
        let found = bad(&site);
        assert_eq!(found.len(), 1, "{words}: {found:#?}");
        assert!(found[0].contains(words), "{words}: {found:#?}");
        assert_eq!(found[0].starts_with("error"), is_error, "{found:#?}");
        let code = site.boss("doctor").status.code();
        assert_eq!(code, Some(i32::from(is_error)), "{words}");
    }
}

#[test]
fn machines_that_can_not_be_told_apart_or_turned_off_are_told() {
    let site = good();
    for line in [
        "node add pc2 --mac 52:54:00:00:00:02 --ip 127.0.0.4",
        "node add pc3 --mac 52:54:00:00:00:03 --ip 127.0.0.5 --power-driver fake",
        "node disk set pc3 sda --boots",
    ] {
        assert!(site.boss(line).status.success(), "{line}");
    }
    let found = bad(&site);
    for words in ["pc2 has no power driver", "pc2: nothing is known", "pc3: by its name alone"] {
        assert!(found.iter().any(|line| line.contains(words)), "{words}: {found:#?}");
    }
    assert_eq!(found.len(), 3, "{found:#?}");
}

/// It makes no data base.
#[test]
fn a_site_that_is_not_there_yet() {
    let site = Site::new();
    assert!(bad(&site).iter().any(|line| line.contains("boss.db")));
    assert!(!site.path("boss.db").exists());
}
