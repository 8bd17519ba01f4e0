use super::super::fixture::{Fixture, PROGRESS, signature};
use super::*;

use std::fs;
use std::os::unix::fs::symlink;
use std::string::ToString;

impl Fixture {
    /// Writes the description, changed by `change`, and reads what was saved.
    fn read(&self, change: impl FnOnce(&mut Meta)) -> Result<Contents<'_>> {
        let mut meta = Meta {
            pid: "testbed".into(),
            eid: "exp1".into(),
            vname: "n".into(),
            base: Some(Base {
                name: "base.sig".into(),
                signature_sha256: Sha256::of(&signature()).0,
                image_sha256: None,
            }),
            disk: "sda".into(),
            load_partition: 0,
            disk_size: 1 << 20,
            sector_size: 512,
            image_sha256: Sha256::of(b"a delta").0,
            image_size: 7,
            signature_sha256: Some(Sha256::of(&signature()).0),
            chunks: 1,
            regions: 1,
            sectors_in_use: 1,
            sectors_changed: 1,
            decided: Vec::new(),
            agent: "a test".into(),
            engine_sha256: None,
            created: 1,
        };
        change(&mut meta);
        fs::write(self.directory.join("n-swap.meta"), meta.to_string()).unwrap();
        read(&self.info, &self.node, &self.part)
    }

    fn refuses(&self, kind: FailureKind, words: &str, change: impl FnOnce(&mut Meta)) {
        let failure = self.read(change).err().unwrap();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[test]
fn what_belongs_together_is_taken() {
    let mut fixture = Fixture::new();
    let saved = fixture.read(|_| {}).unwrap();
    assert!(saved.base.is_some());
    saved.check_image(&PROGRESS).unwrap();
    assert!(fixture.read(|meta| meta.base = None).unwrap().base.is_none());
    // Written before there was such a word.
    fixture.read(|meta| meta.signature_sha256 = None).unwrap();
    // Boss says nothing of the image, or the same.
    let base_image = |meta: &mut Meta| meta.base.as_mut().unwrap().image_sha256 = Some([7; 32]);
    fixture.read(base_image).unwrap();
    fixture.part.base_sha256 = Some([7; 32]);
    fixture.read(base_image).unwrap();
}

#[test]
fn another_base_is_refused() {
    let mut fixture = Fixture::new();
    fixture.refuses(FailureKind::WrongBase, "would make a broken disk", |meta| {
        meta.base.as_mut().unwrap().signature_sha256 = [1; 32];
    });
    fixture.part.base_sha256 = Some([8; 32]);
    fixture.refuses(FailureKind::WrongBase, "but .part says 0808", |meta| {
        meta.base.as_mut().unwrap().image_sha256 = Some([7; 32]);
    });
    fs::remove_file(fixture.directory.join("n.ndz")).unwrap();
    fixture.refuses(FailureKind::WrongBase, "boss makes it a link", |_| {});
    symlink("/etc/passwd", fixture.directory.join("n.ndz")).unwrap();
    fixture.refuses(FailureKind::WrongBase, "n.ndz: no such file", |_| {});
}

#[test]
fn what_is_another_nodes_is_refused() {
    let fixture = Fixture::new();
    for change in [
        (|meta| meta.pid = "other".into()) as fn(&mut Meta),
        |meta| meta.eid = "other".into(),
        |meta| meta.vname = "other".into(),
    ] {
        fixture.refuses(FailureKind::WrongBase, "another node's disk", change);
    }
    fixture.refuses(FailureKind::DiskMisfit, "LOADPART=2", |meta| meta.load_partition = 2);
}

#[test]
fn what_is_damaged_is_refused() {
    let fixture = Fixture::new();
    fixture.refuses(FailureKind::SignatureFile, "but .meta says 0101", |meta| {
        meta.signature_sha256 = Some([1; 32]);
    });
    for change in
        [(|meta| meta.image_size = 8) as fn(&mut Meta), |meta| meta.image_sha256 = [1; 32]]
    {
        let failure = fixture.read(change).unwrap().check_image(&PROGRESS).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Verification, "{failure}");
        assert!(failure.message.contains("is not loaded"), "{failure}");
    }
    fs::remove_file(fixture.directory.join("n-swap.sig")).unwrap();
    fixture.refuses(FailureKind::SignatureFile, "it isn't there", |_| {});
    fs::write(fixture.directory.join("n-swap.meta"), "PID=testbed\n").unwrap();
    let failure = read(&fixture.info, &fixture.node, &fixture.part).err().unwrap();
    assert_eq!(failure.kind, FailureKind::WrongBase);
}

#[test]
fn what_was_not_saved_by_an_agent_is_refused() {
    let fixture = Fixture::new();
    let read = || read(&fixture.info, &fixture.node, &fixture.part).err().unwrap();
    let failure = read();
    assert_eq!(failure.kind, FailureKind::NothingSaved);
    assert!(failure.message.contains("n-swap.ndz is there, but no n-swap.meta"), "{failure}");
    fs::remove_file(fixture.directory.join("n-swap.ndz")).unwrap();
    let failure = read();
    assert_eq!(failure.kind, FailureKind::NothingSaved);
    assert!(failure.message.contains("was never saved here"), "{failure}");
}
