//! `boss dhcp`, as dnsmasq reads it.

use std::fs;
use std::process::Command;

use crate::site::{Site, said};

fn site() -> Site {
    let site = Site::with_experiment();
    site.configure("address = '127.0.0.1'", "address = '10.0.0.1'");
    site.configure("http = '127.0.0.1:0'", "http = '127.0.0.1:8080'");
    site.configure("[nfs]", "[dhcp]\ninterface = 'eth1'\nnetmask = '255.255.255.0'\n[nfs]");
    assert!(site.boss("node set pc1 --ip 10.0.0.11").status.success());
    site
}

#[test]
fn dnsmasq_understands_it() {
    let site = site();
    let file = site.path("nodes.conf");
    fs::write(&file, "of before").unwrap();
    let output = site.boss(&format!("dhcp --output {}", file.display()));
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("dhcp-host=52:54:00:00:00:01,10.0.0.11,pc1"), "{text}");
    assert_eq!(site.boss("dhcp").stdout, text.as_bytes());
    assert_eq!(site.json("dhcp")["configuration"], text);
    let judge = Command::new("/usr/sbin/dnsmasq").arg("--test").arg("-C").arg(&file).output();
    let judge = judge.expect("dnsmasq is there: `cargo xtask test` installs it");
    assert!(judge.status.success(), "{}", said(&judge));
}

/// What can't be is refused as a whole, and the file of before stays.
#[test]
fn what_can_not_be_leaves_the_file() {
    let site = site();
    let file = site.path("nodes.conf");
    fs::write(&file, "of before").unwrap();
    assert!(site.boss("node set pc1 --ip 10.0.1.11").status.success());
    let output = site.boss(&format!("dhcp --output {}", file.display()));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("pc1"), "{}", said(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), "of before");
    let none = site.boss("dhcp --output /none/nodes.conf");
    assert_ne!(none.status.code(), Some(0));
}
