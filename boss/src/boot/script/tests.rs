use super::super::words::tests::words;
use super::super::{Key, Save};
use super::*;
use crate::boot::Job;

fn site() -> Site {
    Site { url: "http://10.0.0.1:8080".parse().unwrap(), words: "nomodeset mfs.level=1".to_owned() }
}

fn script(boot: &Boot) -> String {
    site().script("52:54:00:12:34:56".parse().unwrap(), boot).unwrap()
}

#[test]
fn the_kernel_gets_the_words_and_the_card_that_it_was_booted_from() {
    let key = Key::generate().unwrap();
    let words = Words { key: Some(key.clone()), ..words() };
    let line = words.command_line().unwrap();
    let text = script(&Boot::Mfs(Box::new(words)));
    assert!(text.starts_with("#!ipxe\n"), "{text}");
    let kernel = "imgargs vmlinuz initrd=initramfs console=tty0 console=ttyS0,115200 panic=10 quiet \
                  nomodeset mfs.level=1 BOOTIF=01-${netX/mac:hexhyp} ";
    assert!(text.contains(&format!("\n{kernel}{line} || goto failed\n")), "{text}");
    for file in
        ["vmlinuz http://10.0.0.1:8080/mfs/vmlinuz", "initramfs http://10.0.0.1:8080/mfs/initramfs"]
    {
        assert!(text.contains(&format!(" --name {file} || goto failed\n")), "{text}");
    }
    assert!(text.contains(&key.reveal()));
}

/// Every way out of a script that can't go on leads back to this server, or to a new start.
#[test]
fn a_node_always_asks_again() {
    let mfs = Boot::Mfs(Box::new(Words { job: Some(Job::Swapout(Save::Full)), ..words() }));
    for boot in [Boot::Wait, mfs] {
        let text = script(&boot);
        let again = "\nchain --replace --autofree http://10.0.0.1:8080/boot/52-54-00-12-34-56 ||\n";
        assert!(text.contains(again), "{text}");
        for target in text.split("goto ").skip(1).filter_map(|rest| rest.split_whitespace().next())
        {
            assert!(text.contains(&format!("\n:{target}\n")), "no {target} in {text}");
        }
        assert!(text.ends_with("\nreboot\n"), "{text}");
    }
}

#[test]
fn a_disk_is_started_by_ipxe_only_where_the_firmware_does_not() {
    let text = script(&Boot::Disk);
    let (bios, uefi) = text.split_once("\n:efi\n").unwrap();
    assert!(bios.contains("\nsanboot --no-describe --drive 0x80 ||\n"));
    assert_eq!(uefi, "exit 1\n");
}

#[test]
fn a_sites_words_are_words() {
    let mac = "52:54:00:12:34:56".parse().unwrap();
    let mfs = Boot::Mfs(Box::new(words()));
    for bad in ["a=${ip}", "a='b", "--x", "=a", "rdinit=/x", "a=b||reboot"] {
        let site = Site { words: bad.to_owned(), ..site() };
        assert!(site.script(mac, &mfs).is_err(), "{bad}");
    }
    let long = Site { words: "a=b ".repeat(600), ..site() };
    assert!(long.script(mac, &mfs).unwrap_err().to_string().contains("longer than a kernel reads"));
}
