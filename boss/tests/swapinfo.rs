//! The collector, and directories of experiments.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, unreachable_pub, reason = "all tests share it, and each uses a part")]
mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use boss::db::experiments::Experiment;
use boss::experiment::directories;
use boss::swapinfo::{Collected, Outcome, Purpose, Scope};
use imagezip_core::digest::Sha256;
use imagezip_core::swapinfo::Part;
use support::{GID, SUBGROUP_GID, Site, UID, describe, rights, save, sites};

fn swapinfo(site: &Site) -> PathBuf {
    site.path("proj/testbed/exp/trial/swapinfo")
}

async fn collect(site: &Site, experiment: &Experiment, purpose: Purpose) -> Vec<Outcome> {
    let nodes = site.swapinfo.collect(experiment, Scope::All, purpose).await.unwrap();
    nodes.into_iter().map(|node| node.outcome).collect()
}

fn collected(outcome: &Outcome) -> &Collected {
    match outcome {
        Outcome::Collected(collected) => collected,
        other => panic!("{other:?}"),
    }
}

fn failed(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nodes_get_what_they_need() {
    for site in sites().await {
        let image = site.import(1, "testbed/BASE").await;
        let experiment = site.experiment("testbed", &image, &["a", "b"]).await;
        let outcomes = collect(&site, &experiment, Purpose::Save).await;
        let directory = swapinfo(&site);
        let digest = &collected(&outcomes[0]).signature_sha256;
        for vname in ["a", "b"] {
            let link = fs::read_link(directory.join(format!("{vname}.sig"))).unwrap();
            assert_eq!(link, Path::new(&format!("{digest}.sig")));
            let link = fs::read_link(directory.join(format!("{vname}.ndz"))).unwrap();
            assert_eq!(link, Path::new("/proj/testbed/images/BASE.ndz"));
            assert_eq!(rights(&directory.join(format!("{vname}.part"))), (UID, GID, 0o660));
        }
        assert_eq!(rights(&directory.join(format!("{digest}.sig"))), (UID, GID, 0o660));
        let part = Part::parse(&fs::read(directory.join("a.part")).unwrap()).unwrap();
        assert_eq!((part.load_partition, part.boot_partition), (2, 2));
        assert_eq!(part.serial.as_deref(), Some("disk of pc1"));
        assert_eq!(part.disk_size, Some(1 << 30));
        assert_eq!(Sha256(part.base_sha256.unwrap()).to_string(), image.sha256);
        // A shared signature that was cut off is replaced, and never in place.
        let shared = directory.join(format!("{digest}.sig"));
        let whole = fs::read(&shared).unwrap();
        fs::hard_link(&shared, directory.join("before")).unwrap();
        fs::write(&shared, &whole[..40]).unwrap();
        collected(&collect(&site, &experiment, Purpose::Save).await[0]);
        assert_eq!(fs::read(&shared).unwrap(), whole);
        assert_eq!(fs::read(directory.join("before")).unwrap().len(), 40);

        save(&directory, "a", &image);
        let (a, other) = ("a".parse().unwrap(), "no-such".parse().unwrap());
        let vnames = [a, other];
        let removed = site.swapinfo.forget(&experiment, &vnames).await.unwrap();
        assert_eq!(removed, ["a.part", "a.sig", "a.ndz"]);
        assert!(directory.join("a-swap.ndz").exists() && directory.join("b.part").exists());
        let scope = Scope::Nodes(&vnames);
        let nodes = site.swapinfo.collect(&experiment, scope, Purpose::Save).await.unwrap();
        collected(&nodes[0].outcome);
        assert!(failed(&nodes[1].outcome).contains("no node of that name"));
        assert!(site.swapinfo.collect_garbage(&experiment).await.unwrap().removed.is_empty());
    }
}

#[tokio::test]
async fn one_bad_node_does_not_affect_others() {
    for site in sites().await {
        let image = site.import(1, "testbed/BASE").await;
        let unsigned = site.import(2, "testbed/OTHER").await;
        let experiment = site.experiment("testbed", &image, &["a", "b", "c", "d"]).await;
        site.node(9, &experiment, "delay", "delaynode").await;
        site.node(10, &experiment, "unknown", "node").await;
        collect(&site, &experiment, Purpose::Save).await;
        site.db.set_loaded(&"pc2".parse().unwrap(), &unsigned).await.unwrap();
        let signature = site.path("proj/testbed/images/sigs/OTHER.ndz.sig");
        let bytes = fs::read(&signature).unwrap();
        fs::write(&signature, &bytes[..bytes.len() - 3]).unwrap();
        // A disk's name that no `.part` can have.
        let disk = boss::db::nodes::Disk {
            name: "../sda".to_owned(),
            boots: true,
            ..boss::db::nodes::Disk::default()
        };
        let node = "pc3".parse().unwrap();
        site.db.set_disk(&node, &disk).await.unwrap();
        let old = boss::db::nodes::Disk { name: "sda".to_owned(), ..disk };
        let old = boss::db::nodes::Disk { boots: false, ..old };
        site.db.set_disk(&node, &old).await.unwrap();

        let outcomes = collect(&site, &experiment, Purpose::Save).await;
        collected(&outcomes[0]);
        assert!(failed(&outcomes[1]).contains("isn't what it was"), "{:?}", outcomes[1]);
        assert!(failed(&outcomes[2]).contains("../sda"), "{:?}", outcomes[2]);
        collected(&outcomes[3]);
        assert!(matches!(&outcomes[4], Outcome::Skipped(reason) if reason.contains("delaynode")));
        assert!(failed(&outcomes[5]).contains("nobody knows"), "{:?}", outcomes[5]);
        let directory = swapinfo(&site);
        let there =
            ["a", "b", "c", "d"].map(|name| directory.join(format!("{name}.part")).exists());
        assert_eq!(there, [true, false, false, true], "no .part of before");

        fs::remove_file(&signature).unwrap();
        assert!(failed(&collect(&site, &experiment, Purpose::Save).await[1]).contains("is gone"));
    }
}

#[tokio::test]
async fn what_was_saved_keeps_its_base() {
    for site in sites().await {
        let old = site.import(1, "testbed/BASE").await;
        let experiment = site.experiment("testbed", &old, &["a"]).await;
        collect(&site, &experiment, Purpose::Save).await;
        let directory = swapinfo(&site);
        let kept = directory.join(fs::read_link(directory.join("a.sig")).unwrap());
        save(&directory, "a", &old);
        let new = site.import(2, "testbed/BASE").await;
        let node = "pc1".parse().unwrap();
        site.db.set_loaded(&node, &new).await.unwrap();
        // The old version's signature is lost; what is in the experiment's directory counts.
        fs::remove_file(site.path("proj/testbed/images/sigs/BASE.ndz.sig")).unwrap();
        site.swapinfo.forget(&experiment, &["a".parse().unwrap()]).await.unwrap();
        site.swapinfo.collect_garbage(&experiment).await.unwrap();

        let outcomes = collect(&site, &experiment, Purpose::Swapin).await;
        let given = collected(&outcomes[0]);
        assert_eq!((given.image.version, given.has_saved), (0, true));
        let link = fs::read_link(directory.join("a.ndz")).unwrap();
        assert_eq!(link, Path::new("/proj/testbed/images/BASE.ndz"));
        let saved = site.swapinfo.saved(&experiment, &"a".parse().unwrap()).await.unwrap();
        assert_eq!(saved.unwrap().base.unwrap().id(), old.id());
        assert!(site.images.remove(&old.id()).await.is_err(), "a saved disk needs it");

        // Without the base there is no swapin, and no other base instead.
        let file = site.path("proj/testbed/images/BASE.ndz");
        fs::rename(&file, site.path("moved")).unwrap();
        let outcomes = collect(&site, &experiment, Purpose::Swapin).await;
        assert!(failed(&outcomes[0]).contains("is gone"), "{outcomes:?}");
        assert!(!directory.join("a.part").exists());
        fs::rename(site.path("moved"), &file).unwrap();
        let meta = fs::read_to_string(directory.join("a-swap.meta")).unwrap();
        for (from, to) in
            [("VNAME=a", "VNAME=b"), ("IMAGESIZE", "IMAGESIZ"), ("LOADPART=2", "LOADPART=0")]
        {
            fs::write(directory.join("a-swap.meta"), meta.replace(from, to)).unwrap();
            failed(&collect(&site, &experiment, Purpose::Swapin).await[0]);
        }
        fs::write(directory.join("a-swap.meta"), &meta).unwrap();

        // The same image, signed in another way, is no base of what was saved.
        let path = site.path("proj/testbed/images/sigs/BASE.ndz:1.sig");
        let other = fs::read(&path).unwrap();
        let row = boss::db::images::ImageSignature {
            path: "/proj/testbed/images/sigs/BASE.ndz:1.sig".to_owned(),
            bytes: other.len() as u64,
            sha256: Sha256::of(&other).to_string(),
            image_sha256: old.sha256.clone(),
            created_at: 0,
        };
        site.db.set_image_signature(&old, &row).await.unwrap();
        let bytes = fs::read(&kept).unwrap();
        fs::remove_file(&kept).unwrap();
        let outcomes = collect(&site, &experiment, Purpose::Swapin).await;
        assert!(failed(&outcomes[0]).contains("has another by now"), "{outcomes:?}");
        fs::write(&kept, bytes).unwrap();

        // os_load puts it aside, with the signature that it needs.
        let base = collected(&collect(&site, &experiment, Purpose::Swapin).await[0])
            .signature_sha256
            .clone();
        let outcomes = collect(&site, &experiment, Purpose::Load).await;
        let given = collected(&outcomes[0]);
        assert_eq!(given.image.version, 1);
        assert_eq!(given.put_aside, ["a-swap.meta.stale", "a-swap.ndz.stale", "a-swap.sig.stale"]);
        assert!(!directory.join("a-swap.ndz").exists());
        site.swapinfo.collect_garbage(&experiment).await.unwrap();
        assert!(directory.join(format!("{base}.sig")).exists());
        assert!(
            collected(&collect(&site, &experiment, Purpose::Load).await[0]).put_aside.is_empty()
        );
        // What was saved of the same base stays.
        save(&directory, "a", &new);
        assert!(
            collected(&collect(&site, &experiment, Purpose::Load).await[0]).put_aside.is_empty()
        );
    }
}

#[tokio::test]
async fn who_asks_for_nothing_and_who_may_not_get_it() {
    for site in sites().await {
        let image = site.import(1, "testbed/BASE").await;
        let experiment = site.experiment("testbed", &image, &["a"]).await;
        let plain = Experiment { savedisk: false, ..experiment.clone() };
        let walled = Experiment { firewalled: true, ..experiment };
        for (experiment, word) in [(&plain, "doesn't ask"), (&walled, "firewalled")] {
            let outcomes = collect(&site, experiment, Purpose::Save).await;
            assert!(matches!(&outcomes[0], Outcome::Skipped(reason) if reason.contains(word)));
            assert!(!swapinfo(&site).join("a.part").exists());
        }
        let outcomes = collect(&site, &plain, Purpose::Swapin).await;
        assert!(!collected(&outcomes[0]).has_saved);
    }
}

#[tokio::test]
async fn planted_links_lead_nowhere() {
    for site in sites().await {
        let image = site.import(1, "testbed/BASE").await;
        let experiment = site.experiment("testbed", &image, &["a"]).await;
        let victim = site.path("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("file"), "secret").unwrap();
        let directory = swapinfo(&site);
        for name in ["a.part", "a.part.tmp", "a.sig", "a.sig.tmp-link", "a.ndz"] {
            symlink(victim.join("file"), directory.join(name)).unwrap();
        }
        let digest = collected(&collect(&site, &experiment, Purpose::Save).await[0])
            .signature_sha256
            .clone();
        let shared = directory.join(format!("{digest}.sig"));
        fs::remove_file(&shared).unwrap();
        symlink(victim.join("file"), &shared).unwrap();
        collected(&collect(&site, &experiment, Purpose::Save).await[0]);
        assert!(fs::symlink_metadata(&shared).unwrap().is_file());

        // A saved disk's `.meta` that leads elsewhere, or never ends, is none.
        let meta = directory.join("a-swap.meta");
        symlink(victim.join("file"), &meta).unwrap();
        assert!(failed(&collect(&site, &experiment, Purpose::Swapin).await[0]).contains("link"));
        fs::remove_file(&meta).unwrap();
        let done = std::process::Command::new("mkfifo").arg(&meta).status().unwrap();
        assert!(done.success());
        failed(&collect(&site, &experiment, Purpose::Swapin).await[0]);
        fs::remove_file(&meta).unwrap();

        fs::rename(&directory, site.path("real")).unwrap();
        symlink(&victim, &directory).unwrap();
        failed(&collect(&site, &experiment, Purpose::Save).await[0]);
        assert!(site.swapinfo.collect_garbage(&experiment).await.is_err());
        assert!(directories::make_experiment(&site.db, &site.layout, &experiment).await.is_err());
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 1);
        assert_eq!(fs::read(victim.join("file")).unwrap(), b"secret");
        assert_eq!((rights(&victim).0, rights(&victim.join("file")).0), (0, 0));
    }
}

#[tokio::test]
async fn a_subgroup_has_its_own_directories() {
    for site in sites().await {
        let description = boss::image::Description { gid: "sub".parse().unwrap(), ..describe() };
        let (file, id) = (site.image_file(1), "testbed/SUB".parse().unwrap());
        let image = site.images.import(&file, &id, &description).await.unwrap().image;
        assert_eq!(image.path, "/groups/testbed/sub/images/SUB.ndz");
        assert_eq!(
            rights(&site.path("groups/testbed/sub/images/sigs/SUB.ndz.sig")),
            (UID, SUBGROUP_GID, 0o660)
        );
        let experiment = site.experiment("sub", &image, &["a"]).await;
        let link = fs::read_link(site.path("proj/testbed/exp/trial")).unwrap();
        assert_eq!(link, Path::new("/groups/testbed/sub/exp/trial"));
        let real = site.path("groups/testbed/sub/exp/trial");
        for name in ["swapinfo", "logs", "tmp", "bin", "tbdata", "tftpboot", "archive", "datastore"]
        {
            assert_eq!(rights(&real.join(name)), (UID, SUBGROUP_GID, 0o2770), "{name}");
        }
        collected(&collect(&site, &experiment, Purpose::Save).await[0]);
        let part = real.join("swapinfo/a.part");
        assert_eq!(rights(&part), (UID, SUBGROUP_GID, 0o660));
        // Members get through, and can put nothing there.
        assert_eq!(rights(&site.path("groups/testbed")), (0, GID, 0o2751));
        directories::make_experiment(&site.db, &site.layout, &experiment).await.unwrap();
        assert!(part.exists());
    }
}
