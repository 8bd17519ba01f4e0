use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::swapinfo::install::{Files, install};
use imagezip_core::digest::{HashType, Sha256};
use imagezip_core::signature::{HashBlockSize, Signature};
use imagezip_core::swapinfo::Part;

/// What a file in the directory says of a signature.
#[derive(Clone, Debug)]
enum Reference {
    Link(u8, u8),
    Saved(u8, u8),
    Stale(u8, u8),
    Full(u8),
}

fn digest(number: u8) -> String {
    Sha256::of(&[number]).to_string()
}

fn meta(vname: u8, base: Option<u8>) -> String {
    let base =
        base.map_or_else(String::new, |base| format!("BASE=x BASESIGSHA256={}", digest(base)));
    format!(
        "PID=p EID=e VNAME=n{vname} {base} DISK=sda LOADPART=0 DISKSIZE=1 SECTORSIZE=512 \
         IMAGESHA256={} IMAGESIZE=1 CHUNKS=1 REGIONS=1 INUSE=1 CHANGED=1 AGENT=x CREATED=1",
        digest(0)
    )
}

fn references() -> impl Strategy<Value = Vec<Reference>> {
    let one = prop_oneof![
        (0..4_u8, 0..6_u8).prop_map(|(node, base)| Reference::Link(node, base)),
        (0..4_u8, 0..6_u8).prop_map(|(node, base)| Reference::Saved(node, base)),
        (0..4_u8, 0..6_u8).prop_map(|(node, base)| Reference::Stale(node, base)),
        (0..4_u8).prop_map(Reference::Full),
    ];
    prop::collection::vec(one, 0..8)
}

fn sweep_for(path: &Path, nodes: u8) -> Garbage {
    let vnames = (0..nodes).map(|node| format!("n{node}").parse().unwrap()).collect();
    sweep(&Directory::trusted(path).unwrap(), &vnames).unwrap()
}

proptest! {
    #[test]
    fn what_is_needed_stays_and_all_else_goes(
        references in references(),
        there in prop::collection::btree_set(0..6_u8, 0..6),
        leaving in prop::collection::btree_set(0..6_u8, 0..3),
    ) {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path();
        let shared = |number| path.join(format!("{}.sig", digest(number)));
        for number in &there {
            fs::write(shared(*number), [*number]).unwrap();
        }
        // A run that crashed had begun to remove these.
        for number in leaving.difference(&there) {
            fs::write(path.join(format!("{}.sig.leaving", digest(*number))), [*number]).unwrap();
        }
        for name in ["notes.txt", "abc.sig", "ABCD.part.old"] {
            fs::write(path.join(name), "a user's").unwrap();
        }
        for reference in &references {
            let _ = match reference {
                Reference::Link(node, base) => {
                    let link = path.join(format!("n{node}.sig"));
                    let _ = fs::remove_file(&link);
                    symlink(format!("{}.sig", digest(*base)), link)
                }
                Reference::Saved(node, base) => {
                    fs::write(path.join(format!("n{node}-swap.meta")), meta(*node, Some(*base)))
                }
                Reference::Stale(node, base) => {
                    let name = format!("n{node}-swap.meta.stale");
                    fs::write(path.join(name), meta(*node, Some(*base)))
                }
                Reference::Full(node) => {
                    fs::write(path.join(format!("n{node}-swap.meta")), meta(*node, None))
                }
            };
        }
        // What is needed is what the files say in the end.
        let mut wanted = BTreeSet::new();
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let text = match fs::read_link(entry.path()) {
                Ok(target) => target.to_str().unwrap().to_owned(),
                Err(_) if name.contains("-swap.meta") => fs::read_to_string(entry.path()).unwrap(),
                Err(_) => continue,
            };
            wanted.extend((0..6).filter(|number| {
                text == format!("{}.sig", digest(*number))
                    || text.contains(&format!("BASESIGSHA256={}", digest(*number)))
            }));
        }
        sweep_for(path, 4);
        for number in 0..6 {
            let was = there.contains(&number) || leaving.contains(&number);
            prop_assert_eq!(shared(number).exists(), was && wanted.contains(&number), "{}", number);
            let leaving = path.join(format!("{}.sig.leaving", digest(number)));
            prop_assert!(!leaving.exists());
        }
        for name in ["notes.txt", "abc.sig", "ABCD.part.old"] {
            prop_assert!(path.join(name).exists());
        }
        prop_assert_eq!(sweep_for(path, 4).removed, Vec::<String>::new());
    }
}

#[test]
fn shared_by_two_by_one_by_none_but_a_saved_disk() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path();
    let mut signature = Vec::new();
    Signature::new(HashType::Sha1, HashBlockSize::DEFAULT).write(&mut signature).unwrap();
    let part = Part::parse(b"DISK=sda LOADPART=0 BOOTPART=1").unwrap();
    let shared = format!("{}.sig", Sha256::of(&signature));
    let files = Files { signature: &signature, shared: &shared, part: &part, base_image: None };
    let directory = Directory::trusted(path).unwrap();
    for vname in ["n0", "n1"] {
        install(&directory, vname, &files, None).unwrap();
    }
    let saved = meta(1, Some(1)).replace(&digest(1), &Sha256::of(&signature).to_string());
    for left in [Some("n1"), Some("saved"), None] {
        assert_eq!(sweep_for(path, 2).removed, Vec::<String>::new());
        assert!(path.join(&shared).exists());
        match left {
            Some("n1") => fs::remove_file(path.join("n0.sig")).unwrap(),
            Some(_) => {
                fs::write(path.join("n1-swap.meta"), &saved).unwrap();
                fs::remove_file(path.join("n1.sig")).unwrap();
            }
            None => fs::write(path.join("n1-swap.meta"), "damaged").unwrap(),
        }
    }
    let kept = sweep_for(path, 2);
    assert_eq!(kept.unreadable, ["n1-swap.meta"]);
    assert!(path.join(&shared).exists(), "nobody knows whether it is needed");
    fs::remove_file(path.join("n1-swap.meta")).unwrap();
    assert_eq!(sweep_for(path, 2).removed, [shared]);
}

#[test]
fn nodes_that_are_gone_leave_what_they_saved() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path();
    fs::create_dir(path.join("logs")).unwrap();
    for name in ["n0.part", "n9.part", "n9-swap.ndz", "n9-swap.meta.stale", "n9.ndz.mine"] {
        fs::write(path.join(name), meta(9, None)).unwrap();
    }
    for vname in ["n0", "n9"] {
        symlink("gone.sig", path.join(format!("{vname}.sig"))).unwrap();
        symlink("/proj/x/images/X.ndz", path.join(format!("{vname}.ndz"))).unwrap();
    }
    for number in 10..35 {
        fs::write(path.join(format!("logs/n0.202601{number}T000000Z.log")), "").unwrap();
    }
    fs::write(path.join("logs/notes"), "").unwrap();
    let garbage = sweep_for(path, 1);
    assert_eq!(garbage.left_over, ["n9-swap.meta.stale", "n9-swap.ndz"]);
    assert_eq!(garbage.dangling, ["n0.sig"]);
    assert_eq!(garbage.removed[..3], ["n9.part", "n9.sig", "n9.ndz"].map(str::to_owned));
    assert_eq!(garbage.removed.len(), 3 + 5);
    assert!(!path.join("logs/n0.20260114T000000Z.log").exists());
    assert!(path.join("logs/n0.20260115T000000Z.log").exists());
    assert!(path.join("n9.ndz.mine").exists() && path.join("n0.part").exists());
}
