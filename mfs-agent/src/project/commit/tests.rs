use super::*;
use crate::failure::FailureKind;
use crate::progress::Progress;
use core::time::Duration;
use imagezip_core::swapinfo::Base;
use rustix::fd::AsFd;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::string::ToString;
use std::vec::Vec;

static PROGRESS: Progress = Progress::new();
static PATIENCE: Patience = Patience::new(Duration::from_mins(1), &PROGRESS);

/// The content of a member of set `generation`: its image is as long as its `.meta` says.
fn content(member: Member, generation: u64) -> Vec<u8> {
    let image_size = 100 + generation;
    match member {
        Member::Image => vec_of(generation, image_size),
        Member::Signature => vec_of(generation, 7),
        Member::Meta => Meta {
            pid: "testbed".into(),
            eid: "exp1".into(),
            vname: "n".into(),
            base: Some(Base { name: "base".into(), signature_sha256: [1; 32], image_sha256: None }),
            disk: "sda".into(),
            load_partition: 0,
            disk_size: 1 << 30,
            sector_size: 512,
            image_sha256: [2; 32],
            image_size,
            signature_sha256: None,
            chunks: 1,
            regions: 1,
            sectors_in_use: 1,
            sectors_changed: 1,
            decided: Vec::new(),
            agent: generation.to_string(),
            engine_sha256: None,
            created: generation,
        }
        .to_string()
        .into_bytes(),
    }
}

fn vec_of(generation: u64, len: u64) -> Vec<u8> {
    std::vec![u8::try_from(generation).unwrap(); usize::try_from(len).unwrap()]
}

struct Fixture {
    directory: tempfile::TempDir,
    handle: fs::File,
}

impl Fixture {
    /// A directory with set 1.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let handle = fs::File::open(directory.path()).unwrap();
        let fixture = Self { directory, handle };
        for member in MEMBERS {
            fixture.commit().write(member, &content(member, 1)).unwrap();
        }
        fixture.publish().unwrap();
        assert_eq!(fixture.whole_set(), Some(1));
        fixture
    }

    /// Publishes the image that is there, whatever it is.
    fn publish(&self) -> Result<()> {
        let image = fs::symlink_metadata(self.path().join("n-swap.ndz.tmp"));
        self.commit().publish(image.map_or(0, |image| image.ino()))
    }

    fn commit(&self) -> Commit<'_> {
        Commit::new(self.handle.as_fd(), "n", &PATIENCE)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn names(&self) -> Vec<String> {
        crate::file::list(self.path()).unwrap()
    }

    /// The number of the set that is under the final names, if all its files are of one.
    fn whole_set(&self) -> Option<u64> {
        (1..=2).find(|generation| {
            MEMBERS.into_iter().all(|member| {
                let path = self.path().join(self.commit().name(member));
                fs::read(path).unwrap() == content(member, *generation)
            })
        })
    }
}

/// What a run does after recovery, as functions of one step each; a cut-off run did the first so
/// many of them.
type Action = fn(&Commit<'_>);

fn half(commit: &Commit<'_>, member: Member) {
    let file = commit.create(member).unwrap();
    write_all(&file, &content(member, 2)[..5]).unwrap();
}

fn rest(commit: &Commit<'_>, member: Member) {
    unlinkat(commit.directory, commit.temporary_name(member).as_str(), AtFlags::empty()).unwrap();
    commit.write(member, &content(member, 2)).unwrap();
}

fn publish_step(commit: &Commit<'_>, index: usize) {
    commit.step(PUBLISH[index]).unwrap();
}

const ACTIONS: [Action; 11] = [
    |commit| half(commit, Member::Image),
    |commit| rest(commit, Member::Image),
    |commit| half(commit, Member::Signature),
    |commit| rest(commit, Member::Signature),
    |commit| half(commit, Member::Meta),
    |commit| rest(commit, Member::Meta),
    |commit| publish_step(commit, 0),
    |commit| publish_step(commit, 1),
    |commit| publish_step(commit, 2),
    |commit| publish_step(commit, 3),
    |commit| publish_step(commit, 4),
];
/// With so many actions done the image has its final name.
const RENAMED: usize = 8;

#[test]
fn a_publication_that_fails_half_way_is_completed_later() {
    let fixture = Fixture::new();
    let commit = fixture.commit();
    for member in MEMBERS {
        commit.write(member, &content(member, 2)).unwrap();
    }
    // Something is in the way of the second file.
    let obstacle = fixture.path().join("n-swap.sig");
    fs::remove_file(&obstacle).unwrap();
    fs::create_dir(&obstacle).unwrap();
    assert!(fixture.publish().is_err());
    assert!(commit.recover().is_err());
    assert!(fixture.names().contains(&"n-swap.meta.tmp".to_string()), "the only description");
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(commit.recover().unwrap(), Recovered::Completed);
    assert_eq!(fixture.whole_set(), Some(2));
}

#[test]
fn what_somebody_removed_is_not_published() {
    let fixture = Fixture::new();
    let commit = fixture.commit();
    commit.write(Member::Signature, &content(Member::Signature, 2)).unwrap();
    commit.write(Member::Meta, &content(Member::Meta, 2)).unwrap();
    assert!(fixture.publish().is_err());
    assert_eq!(fixture.whole_set(), Some(1));
    assert_eq!(commit.recover().unwrap(), Recovered::Discarded);
    assert_eq!(fixture.whole_set(), Some(1));
}

#[test]
fn what_somebody_else_made_meanwhile_is_not_taken_for_saved() {
    let fixture = Fixture::new();
    let commit = fixture.commit();
    let write = || {
        for member in MEMBERS {
            commit.write(member, &content(member, 2)).unwrap();
        }
        // Open, so that the file system can't give the inode to the next file.
        let image = fs::File::open(fixture.path().join("n-swap.ndz.tmp")).unwrap();
        let inode = image.metadata().unwrap().ino();
        (image, inode)
    };
    let of_others = |result: Result<()>| {
        let failure = result.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Verification, "{failure}");
        assert!(failure.message.contains("another machine"), "{failure}");
    };
    // Another machine recovers, and begins, while the image is read back: it is seen in time.
    let (_image, inode) = write();
    commit.discard().unwrap();
    half(&commit, Member::Image);
    commit.write(Member::Signature, &content(Member::Signature, 2)).unwrap();
    commit.write(Member::Meta, &content(Member::Meta, 2)).unwrap();
    of_others(commit.publish(inode));
    assert_eq!(fixture.whole_set(), Some(1));
    commit.discard().unwrap();
    // Or between a look and the rename. If all are gone, the earlier set is in place.
    let (_image, inode) = write();
    let files = commit.finished_files(inode).unwrap();
    commit.discard().unwrap();
    let renamed = commit.run(&PUBLISH);
    of_others(renamed.and_then(|()| commit.must_be("n-swap.ndz", files[0].1)));
    assert_eq!(fixture.whole_set(), Some(1));
}

#[test]
fn a_run_cut_off_anywhere_leaves_a_whole_set_that_recovery_finds() {
    for done in 0..=ACTIONS.len() {
        let fixture = Fixture::new();
        let commit = fixture.commit();
        ACTIONS[..done].iter().for_each(|action| action(&commit));
        let expected = if done < RENAMED { 1 } else { 2 };
        if done < RENAMED {
            assert_eq!(fixture.whole_set(), Some(1), "before recovery, {done} actions");
        }
        let recovered = commit.recover().unwrap();
        assert_eq!(fixture.whole_set(), Some(expected), "{done} actions, {recovered:?}");
        assert_eq!(fixture.names(), ["n-swap.meta", "n-swap.ndz", "n-swap.sig"]);
        let how = match done {
            0 | 10 | 11 => Recovered::Clean,
            1..RENAMED => Recovered::Discarded,
            _ => Recovered::Completed,
        };
        assert_eq!(recovered, how, "{done} actions");
        assert_eq!(commit.recover().unwrap(), Recovered::Clean);
    }
}

#[test]
fn recovery_may_be_cut_off_too() {
    for done in 1..RENAMED {
        for steps in 0..=DISCARD.len() {
            let fixture = Fixture::new();
            let commit = fixture.commit();
            ACTIONS[..done].iter().for_each(|action| action(&commit));
            commit.run(&DISCARD[..steps]).unwrap();
            commit.recover().unwrap();
            assert_eq!(fixture.whole_set(), Some(1), "{done} actions, {steps} steps");
        }
    }
}

#[test]
fn the_first_set_of_all_is_recovered_too() {
    for done in 0..=ACTIONS.len() {
        let fixture = Fixture::new();
        let commit = fixture.commit();
        for name in fixture.names() {
            fs::remove_file(fixture.path().join(name)).unwrap();
        }
        ACTIONS[..done].iter().for_each(|action| action(&commit));
        commit.recover().unwrap();
        if done < RENAMED {
            assert_eq!(fixture.names(), Vec::<String>::new(), "{done} actions");
        } else {
            assert_eq!(fixture.whole_set(), Some(2), "{done} actions");
        }
    }
}

#[test]
fn a_description_of_something_else_completes_nothing() {
    let fixture = Fixture::new();
    let commit = fixture.commit();
    commit.write(Member::Meta, &content(Member::Meta, 2)).unwrap();
    assert_eq!(commit.recover().unwrap(), Recovered::Discarded);
    assert_eq!(fixture.whole_set(), Some(1));
}

#[test]
fn a_failure_leaves_the_previous_set() {
    let fixture = Fixture::new();
    let commit = fixture.commit();
    half(&commit, Member::Image);
    commit.discard().unwrap();
    commit.discard().unwrap();
    assert_eq!(fixture.whole_set(), Some(1));
    assert_eq!(fixture.names().len(), 3);
}

#[test]
fn temporary_files_follow_no_link() {
    let fixture = Fixture::new();
    let target = fixture.path().join("target");
    std::os::unix::fs::symlink(&target, fixture.path().join("n-swap.ndz.tmp")).unwrap();
    assert!(fixture.commit().create(Member::Image).is_err());
    assert_eq!(fixture.commit().recover().unwrap(), Recovered::Discarded);
    assert!(fixture.commit().create(Member::Image).is_ok());
    assert!(!target.exists());
}

#[test]
fn files_are_for_the_group() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    let mode = fs::metadata(fixture.path().join("n-swap.ndz")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
}

#[test]
fn what_is_refused_in_the_middle_is_made_anew_once() {
    let fixture = Fixture::new();
    let commit = fixture.commit();
    let mut runs = 0;
    let mut save = |errno| {
        commit.save_again_if_refused(|| {
            runs += 1;
            half(&commit, Member::Image);
            if runs == 2 { Ok(()) } else { Err(Failure::of_project(errno, "writing")) }
        })
    };
    assert_eq!(save(Errno::STALE), Ok(()));
    // The second run found nothing of the first, or it could not have made its file.
    commit.recover().unwrap();
    let mut runs = 0;
    let refused = commit.save_again_if_refused(|| {
        runs += 1;
        Err::<(), _>(Failure::of_project(Errno::ACCESS, "writing"))
    });
    assert_eq!((runs, refused.unwrap_err().kind), (2, FailureKind::ProjectReadOnly));
    let mut runs = 0;
    let full = commit.save_again_if_refused(|| {
        runs += 1;
        Err::<(), _>(Failure::of_project(Errno::NOSPC, "writing"))
    });
    assert_eq!((runs, full.unwrap_err().kind), (1, FailureKind::ProjectFull));
    assert_eq!(fixture.whole_set(), Some(1));
}
