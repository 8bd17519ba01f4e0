//! Images: imported, captured, signed, verified, removed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, unreachable_pub, reason = "all tests share it, and each uses a part")]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use boss::image::{Capture, SignatureState};
use boss::names::ImageId;
use imagezip_core::digest::{HashType, Sha256};
use imagezip_core::signature::{HashBlockSize, Signature};
use imagezip_core::swapinfo::{Meta, Part};
use support::{GID, Site, UID, describe, rights, sites, write_script};

fn id(text: &str) -> ImageId {
    text.parse().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn versions_are_never_replaced() {
    for site in sites().await {
        let first = site.import(1, "testbed/BASE").await;
        let second = site.import(2, "testbed/BASE").await;
        assert_eq!((first.version, second.version), (0, 1));
        assert_eq!(second.path, "/proj/testbed/images/BASE.ndz:1");
        let images = site.path("proj/testbed/images");
        assert_eq!(names(&images), ["BASE.ndz", "BASE.ndz:1", "sigs"]);
        assert_eq!(
            fs::read(images.join("BASE.ndz")).unwrap(),
            fs::read(site.path("1.ndz")).unwrap()
        );
        assert_eq!(rights(&images), (UID, GID, 0o2770));
        for name in ["BASE.ndz", "BASE.ndz:1", "sigs/BASE.ndz.sig", "sigs/BASE.ndz:1.sig"] {
            assert_eq!(rights(&images.join(name)), (UID, GID, 0o660), "{name}");
        }
        let bytes = fs::read(images.join("sigs/BASE.ndz:1.sig")).unwrap();
        assert!(!Signature::read(&bytes[..]).unwrap().is_empty());
        let listed = site.images.list().await.unwrap();
        assert_eq!(listed.iter().map(|one| one.image.stale).collect::<Vec<_>>(), [true, false]);
        assert!(listed.iter().all(|one| one.is_there && one.signature == SignatureState::Present));
        for image in [&first, &second] {
            let verified = site.images.verify(&image.id()).await.unwrap();
            assert_eq!(verified.problems, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn others_may_read_global_images() {
    for site in sites().await {
        let description = boss::image::Description { global: true, ..describe() };
        let file = site.image_file(1);
        site.images.import(&file, &id("testbed/BASE"), &description).await.unwrap();
        let mode = |path: &str| rights(&site.path(path)).2;
        assert_eq!(mode("proj/testbed/images/BASE.ndz"), 0o664);
        assert_eq!(mode("proj/testbed/images/sigs/BASE.ndz.sig"), 0o664);
        assert_eq!((mode("proj/testbed"), mode("proj/testbed/images")), (0o2771, 0o2775));
    }
}

#[tokio::test]
async fn what_is_no_sound_image_is_not_taken() {
    for site in sites().await {
        let mut bytes = fs::read(site.image_file(1)).unwrap();
        bytes[5000] ^= 1;
        fs::write(site.path("bad"), &bytes).unwrap();
        fs::write(site.path("short"), &bytes[..1000]).unwrap();
        fs::write(site.path("empty"), b"").unwrap();
        for name in ["bad", "short", "empty", "missing"] {
            let image = id("testbed/BASE");
            assert!(site.images.import(&site.path(name), &image, &describe()).await.is_err());
        }
        assert_eq!(names(&site.path("proj/testbed/images")), ["sigs"]);
        assert!(site.images.list().await.unwrap().is_empty());
        assert!(site.db.image_lock_holders().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn without_signature_an_image_is_usable_and_an_old_signature_stays() {
    for site in sites().await {
        let tool = site.path("tools/imagehash");
        let good = fs::read_to_string(&tool).unwrap();
        write_script(&tool, "#!/bin/sh\nyes broken | head -c 1000000 >&2\nexit 3\n");
        let file = site.image_file(1);
        let made = site.images.import(&file, &id("testbed/BASE"), &describe()).await.unwrap();
        let reason = made.signature.unwrap_err();
        assert!(reason.contains("broken") && reason.len() < 6000, "{reason}");
        assert_eq!(site.images.list().await.unwrap()[0].signature, SignatureState::Missing);

        // A tool that says nothing, and leaves half a signature.
        write_script(&tool, "#!/bin/sh\nhead -c 40 /dev/zero > \"$3\"\n");
        assert!(site.images.sign_missing().await.unwrap()[0].result.is_err());
        // One that signs something else.
        let mut bytes = Vec::new();
        let empty = Signature::new(HashType::Sha1, HashBlockSize::DEFAULT);
        empty.write(&mut bytes).unwrap();
        fs::write(site.path("empty.sig"), bytes).unwrap();
        let script =
            format!("#!/bin/sh\nPATH=/bin cp {} \"$3\"\n", site.path("empty.sig").display());
        write_script(&tool, &script);
        let error = format!(
            "{:#}",
            site.images.sign_missing().await.unwrap()[0].result.as_ref().unwrap_err()
        );
        assert!(error.contains("other sectors"), "{error}");
        write_script(&tool, &good);
        let signed = site.images.sign_missing().await.unwrap();
        assert_eq!((signed.len(), signed[0].result.is_ok()), (1, true));
        assert!(site.images.sign_missing().await.unwrap().is_empty());

        // A signature that was damaged stays until there is a better one.
        let path = site.path("proj/testbed/images/sigs/BASE.ndz.sig");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(site.images.list().await.unwrap()[0].signature, SignatureState::Wrong);
        write_script(&tool, "#!/bin/sh\nexit 1\n");
        assert!(site.images.sign_missing().await.unwrap()[0].result.is_err());
        assert_eq!(fs::read(&path).unwrap(), bytes[..bytes.len() - 1]);
        write_script(&tool, &good);
        assert!(site.images.sign_missing().await.unwrap()[0].result.is_ok());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[tokio::test]
async fn locks_and_what_crashes_leave() {
    for site in sites().await {
        let image = id("testbed/BASE");
        let holder = boss::files::token();
        assert!(site.db.lock_image(&image, &holder, 60).await.unwrap());
        let file = site.image_file(1);
        let error = site.images.import(&file, &image, &describe()).await.unwrap_err();
        assert!(format!("{error:#}").contains("somebody else"), "{error:#}");

        let images = site.path("proj/testbed/images");
        let leave = |token: &str, age| {
            let path = images.join(boss::files::temporary_name(token));
            let file = fs::File::create(&path).unwrap();
            let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
            file.set_modified(then).unwrap();
            path
        };
        let held = leave(&holder, 9000);
        let (old, new) = (leave("00000000000000aa", 9000), leave("00000000000000ab", 1));
        let others = images.join(".boss-notes.tmp");
        fs::write(&others, "").unwrap();
        // A version whose row was never made keeps its name.
        fs::write(images.join("OTHER.ndz"), "left").unwrap();
        let other = site.import(2, "testbed/OTHER").await;
        assert_eq!(other.version, 1);
        assert_eq!(fs::read(images.join("OTHER.ndz")).unwrap(), b"left");
        assert_eq!(
            [&held, &old, &new, &others].map(|path| path.exists()),
            [true, false, true, true]
        );

        // So does one of which only the signature is left, which is of who knows what.
        fs::write(images.join("sigs/THIRD.ndz.sig"), "left").unwrap();
        assert_eq!(site.import(2, "testbed/THIRD").await.version, 1);

        site.db.unlock_image(&image, &holder).await.unwrap();
        assert_eq!(site.import(1, "testbed/BASE").await.version, 0);
    }
}

#[tokio::test]
async fn planted_links_lead_nowhere() {
    for site in sites().await {
        let victim = site.path("victim");
        fs::create_dir(&victim).unwrap();
        let before = rights(&victim);
        let images = site.path("proj/testbed/images");
        fs::remove_dir(images.join("sigs")).unwrap();
        symlink(&victim, images.join("sigs")).unwrap();
        let file = site.image_file(1);
        assert!(site.images.import(&file, &id("testbed/BASE"), &describe()).await.is_err());
        assert_eq!((rights(&victim), names(&victim).len()), (before, 0));
        fs::remove_file(images.join("sigs")).unwrap();

        fs::write(victim.join("file"), "secret").unwrap();
        symlink(victim.join("file"), images.join("BASE.ndz")).unwrap();
        let image = site.import(1, "testbed/BASE").await;
        assert_eq!(image.version, 1, "the name is taken");
        let path = images.join("BASE.ndz:1");
        fs::remove_file(&path).unwrap();
        symlink(victim.join("file"), &path).unwrap();
        let verified = site.images.verify(&image.id()).await.unwrap();
        assert!(verified.problems[0].contains("link"), "{:?}", verified.problems);
        assert_eq!(fs::read(victim.join("file")).unwrap(), b"secret");
        assert_eq!(rights(&victim.join("file")).0, 0);
    }
}

#[tokio::test]
async fn a_file_that_changed_is_found() {
    for site in sites().await {
        let image = site.import(1, "testbed/BASE").await;
        let path = site.path("proj/testbed/images/BASE.ndz");
        let mut bytes = fs::read(&path).unwrap();
        bytes[9000] ^= 1;
        fs::write(&path, bytes).unwrap();
        let verified = site.images.verify(&image.id()).await.unwrap();
        assert!(verified.problems[0].contains("has changed"), "{:?}", verified.problems);
        assert!(site.images.find(&image.id()).await.unwrap().stale);
        // It must not get a signature that makes it look right.
        fs::remove_file(site.path("proj/testbed/images/sigs/BASE.ndz.sig")).unwrap();
        assert!(site.images.sign_missing().await.unwrap()[0].result.is_err());
    }
}

#[tokio::test]
async fn what_is_needed_is_not_removed() {
    for site in sites().await {
        let image = site.import(1, "testbed/BASE").await;
        site.import(2, "testbed/BASE").await;
        let experiment = site.experiment("testbed", &image, &["a"]).await;
        let error = site.images.remove(&image.id()).await.unwrap_err().to_string();
        assert!(error.contains("node pc1 was loaded with it"), "{error}");
        let newer = site.images.find(&id("testbed/BASE")).await.unwrap();
        site.db.set_loaded(&"pc1".parse().unwrap(), &newer).await.unwrap();

        let signature = site.db.image_signature(&image).await.unwrap().unwrap();
        let meta = "PID=testbed EID=trial VNAME=a BASE=x DISK=sda LOADPART=2 DISKSIZE=1 \
                    SECTORSIZE=512 IMAGESIZE=1 CHUNKS=1 REGIONS=1 INUSE=1 CHANGED=1 AGENT=x CREATED=1";
        let digest = "0".repeat(64);
        let meta = format!("{meta} IMAGESHA256={digest} BASESIGSHA256={}", signature.sha256);
        let path = site.path("proj/testbed/exp/trial/swapinfo/a-swap.meta.stale");
        fs::write(&path, meta).unwrap();
        let error = site.images.remove(&image.id()).await.unwrap_err().to_string();
        assert!(error.contains("a-swap.meta.stale of testbed/trial"), "{error}");
        fs::write(&path, "no words").unwrap();
        assert!(site.images.remove(&image.id()).await.is_err(), "nobody knows");
        fs::remove_file(&path).unwrap();
        site.images.remove(&image.id()).await.unwrap();
        let images = site.path("proj/testbed/images");
        assert_eq!(names(&images), ["BASE.ndz:1", "sigs"]);
        assert_eq!(names(&images.join("sigs")), ["BASE.ndz:1.sig"]);
        assert!(site.images.remove(&newer.id()).await.is_err());
        drop(experiment);
    }
}

/// Leaves in `staging` what a node leaves.
fn capture_as_node(site: &Site, staging: &Path, seed: u8) {
    let image = fs::read(site.image_file(seed)).unwrap();
    let signature = fs::read(site.path("proj/testbed/images/sigs/BASE.ndz.sig")).unwrap();
    let meta = Meta {
        pid: "testbed".to_owned(),
        eid: "trial".to_owned(),
        vname: "a".to_owned(),
        base: None,
        disk: "sda".to_owned(),
        load_partition: 2,
        disk_size: 1 << 30,
        sector_size: 512,
        image_sha256: Sha256::of(&image).0,
        image_size: image.len() as u64,
        signature_sha256: Some(Sha256::of(&signature).0),
        chunks: 1,
        regions: 1,
        sectors_in_use: 600,
        sectors_changed: 600,
        decided: Vec::new(),
        agent: "test".to_owned(),
        engine_sha256: None,
        created: 1,
    };
    let files = [("ndz", image), ("sig", signature), ("meta", meta.to_string().into_bytes())];
    for (end, bytes) in files {
        let path = staging.join(format!("a-swap.{end}"));
        fs::write(&path, bytes).unwrap();
        chown(&path, Some(UID), Some(GID)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::create_dir_all(staging.join("logs")).unwrap();
    fs::write(staging.join("logs/a.20260101T000000Z.log"), "").unwrap();
}

#[tokio::test]
async fn a_captured_disk_becomes_the_next_version() {
    for site in sites().await {
        let image = site.import(1, "testbed/BASE").await;
        let _experiment = site.experiment("testbed", &image, &["a"]).await;
        let capture = Capture {
            image: id("testbed/BASE"),
            description: describe(),
            node_id: "pc1".parse().unwrap(),
            vname: "a".parse().unwrap(),
        };
        let staging = site.images.prepare_capture(&capture).await.unwrap();
        assert_eq!(rights(&staging.here), (UID, GID, 0o2770));
        assert!(staging.node.starts_with("/proj/testbed/images"));
        let part = Part::parse(&fs::read(staging.here.join("a.part")).unwrap()).unwrap();
        assert_eq!((part.disk.as_str(), part.load_partition), ("sda", 2));

        capture_as_node(&site, &staging.here, 1);
        let path = staging.here.join("a-swap.ndz");
        // Somebody else's file by another name would become the user's.
        fs::hard_link(&path, site.path("other name")).unwrap();
        assert!(site.images.publish_captured(&staging, &capture).await.is_err());
        fs::remove_file(site.path("other name")).unwrap();
        let good = fs::read(&path).unwrap();
        fs::write(&path, &good[1..]).unwrap();
        let error = site.images.publish_captured(&staging, &capture).await.unwrap_err();
        assert!(format!("{error:#}").contains("not what its .meta says"), "{error:#}");
        fs::write(&path, &good).unwrap();
        assert_eq!(site.images.list().await.unwrap().len(), 1);

        let made = site.images.publish_captured(&staging, &capture).await.unwrap();
        assert_eq!(made.image.version, 1);
        assert!(!staging.here.exists());
        assert_eq!(rights(&site.path("proj/testbed/images/BASE.ndz:1")), (UID, GID, 0o660));
        let verified = site.images.verify(&made.image.id()).await.unwrap();
        assert_eq!(verified.problems, Vec::<String>::new());

        let staging = site.images.prepare_capture(&capture).await.unwrap();
        site.images.abandon_capture(&staging).await.unwrap();
        assert!(!staging.here.exists());
    }
}
