use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};

use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::manifest::Manifest;
use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/signing/fixtures")).join(name)
}

fn signer() -> Signer {
    Signer::load(&fixture("plain.secret"), None).unwrap()
}

fn verifier() -> Verifier {
    Verifier::load(fixture("public.key").as_os_str()).unwrap()
}

/// A directory with an image and its signature file, and the image's path.
fn image(name: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let image = dir.path().join(OsStr::from_bytes(name));
    fs::write(&image, "an image").unwrap();
    fs::write(with_suffix(&image, ".sig"), "its digests").unwrap();
    (dir, image)
}

fn run(dir: &TempDir, program: &str, arguments: &[&OsStr]) -> Output {
    Command::new(program).args(arguments).current_dir(dir).output().unwrap()
}

/// Checks the result with other people's programs.
fn assert_others_agree(dir: &TempDir, image: &Path, public_key: &Path) {
    let manifest = with_suffix(image, ".sha256");
    let (flags, key) = (OsStr::new("-Vm"), OsStr::new("-p"));
    let checked = run(dir, "minisign", &[flags, manifest.as_ref(), key, public_key.as_ref()]);
    assert!(checked.status.success(), "{checked:?}");
    let checked = run(dir, "sha256sum", &["-c".as_ref(), "--strict".as_ref(), manifest.as_ref()]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn what_we_sign_minisign_and_sha256sum_accept() {
    for name in [b"base.ndz".as_slice(), b"a \\ b\n\xff.ndz"] {
        let (dir, image) = image(name);
        let signature = signer().sign(&image).unwrap();
        assert_eq!(signature, with_suffix(&image, ".sha256.minisig"));
        assert_others_agree(&dir, &image, &fixture("public.key"));
        let verified = verifier().verify(&image).unwrap();
        assert_eq!(verified, [image.clone(), with_suffix(&image, ".sig")]);
    }
}

#[test]
fn keys_with_passwords() {
    let (dir, image) = image(b"base.ndz");
    let (key, file) = (fixture("encrypted.secret"), dir.path().join("password"));
    fs::write(&file, "pw\n").unwrap();
    Signer::load(&key, Some(&file)).unwrap().sign(&image).unwrap();
    assert_others_agree(&dir, &image, &fixture("public.key"));
    verifier().verify(&image).unwrap();

    fs::write(&file, "wrong\n").unwrap();
    let error = Signer::load(&key, Some(&file)).err().unwrap().to_string();
    assert!(error.contains("password"), "{error}");
}

#[test]
fn what_minisign_signs_we_accept() {
    let (dir, image) = image(b"base.ndz");
    let manifest = with_suffix(&image, ".sha256");
    let sums = run(&dir, "sha256sum", &["base.ndz".as_ref(), "base.ndz.sig".as_ref()]);
    fs::write(&manifest, sums.stdout).unwrap();
    let (secret, public) =
        (fixture("plain.secret"), fs::read_to_string(fixture("public.key")).unwrap());
    // The form with a digest, which is usual, and the old one without.
    for form in ["-S", "-Sl"] {
        let arguments =
            [form.as_ref(), "-s".as_ref(), secret.as_os_str(), "-m".as_ref(), manifest.as_ref()];
        let signed = run(&dir, "minisign", &arguments);
        assert!(signed.status.success(), "{signed:?}");
        verifier().verify(&image).unwrap();
        let line = public.lines().nth(1).unwrap();
        Verifier::load(line.as_ref()).unwrap().verify(&image).unwrap();
    }
}

#[test]
fn what_is_not_as_signed_is_refused() {
    let (dir, image) = image(b"base.ndz");
    signer().sign(&image).unwrap();
    let signature_file = with_suffix(&image, ".sig");
    let another = Command::new("minisign")
        .args(["-G", "-W", "-p", "another.pub", "-s", "another"])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert!(another.status.success(), "{another:?}");
    let another = Verifier::load(dir.path().join("another.pub").as_ref()).unwrap();
    let error = another.verify(&image).unwrap_err().to_string();
    assert!(error.contains("different from public key"), "{error}");

    let [manifest, minisig] =
        [".sha256", ".sha256.minisig"].map(|suffix| with_suffix(&image, suffix));
    let refused = |what: &str, reason: &str| {
        let error = format!("{:#}", verifier().verify(&image).unwrap_err());
        assert!(error.contains(reason), "{what}: {error}");
    };
    for (path, reason) in [
        (&image, "not the file that was signed"),
        (&signature_file, "not the file that was signed"),
        (&manifest, "verification failed"),
    ] {
        let good = fs::read(path).unwrap();
        let mut bad = good.clone();
        bad[3] ^= 1;
        fs::write(path, bad).unwrap();
        refused(&path.display().to_string(), reason);
        fs::remove_file(path).unwrap();
        refused(&path.display().to_string(), "No such file");
        fs::write(path, good).unwrap();
    }
    let good = fs::read_to_string(&minisig).unwrap();
    let lines: Vec<_> = good.lines().collect();
    for (line, _) in lines.iter().enumerate() {
        let mut short = lines.clone();
        short.remove(line);
        fs::write(&minisig, short.join("\n")).unwrap();
        refused("a line less", "minisig");
        short.insert(line, &lines[line][..lines[line].len() / 2]);
        fs::write(&minisig, short.join("\n")).unwrap();
        if line > 0 {
            refused("half a line", "minisig");
        }
    }
    fs::write(&minisig, good).unwrap();
    verifier().verify(&image).unwrap();

    // Signed, but under another name.
    let other = dir.path().join("other.ndz");
    for suffix in ["", ".sig", ".sha256", ".sha256.minisig"] {
        fs::copy(with_suffix(&image, suffix), with_suffix(&other, suffix)).unwrap();
    }
    let error = verifier().verify(&other).unwrap_err().to_string();
    assert!(error.contains("not this one"), "{error}");
}

#[test]
fn keys_are_told_from_other_files() {
    let public = fixture("public.key");
    assert!(Signer::load(&public, None).is_err());
    assert!(Signer::load(Path::new("/nowhere"), None).is_err());
    for key in
        [fixture("plain.secret").as_os_str(), "/dev/zero".as_ref(), "RWQ".as_ref(), "".as_ref()]
    {
        assert!(Verifier::load(key).is_err(), "{}", key.display());
    }
}

#[test]
fn manifests_stay_in_their_directory() {
    let digest = "ab".repeat(32);
    for name in ["../x", "/x", "..", ".", "", "a/b"] {
        assert_eq!(Manifest::parse(format!("{digest}  {name}\n").as_bytes()), None, "{name}");
    }
    let binary = Manifest::parse(format!("{digest} *x\n").as_bytes()).unwrap();
    assert_eq!(binary.entries()[0].name, "x");
}

proptest! {
    #[test]
    fn manifests_give_back_their_names(names in prop::collection::vec("[^/\0]{1,20}", 1..4)) {
        prop_assume!(names.iter().all(|name| name != "." && name != ".."));
        let mut manifest = Manifest::default();
        for name in names {
            manifest.push(name.clone().into(), imagezip_core::digest::Sha256::of(name.as_bytes()));
        }
        prop_assert_eq!(Manifest::parse(&manifest.to_bytes()), Some(manifest));
    }

    #[test]
    fn any_text_can_be_parsed(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Manifest::parse(&text);
    }
}
