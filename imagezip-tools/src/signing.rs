//! Signed images, in formats that other programs know.
//!
//! `<image>.sha256` has the digests of the image and of its signature file (the `.sig`, which is
//! no signature in this sense); `sha256sum -c` checks it. `<image>.sha256.minisig` signs that file;
//! `minisign -V` checks it. The names are signed too: an image that is put in another's place
//! doesn't pass.

mod manifest;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail, ensure};
use ct_codecs::{Base64, Decoder};
use minisign::{PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};

use crate::create::sha256_of;
use crate::output::write_atomically;

/// The environment variable with the password of a secret key.
pub const PASSWORD_VARIABLE: &str = "IMAGEZIP_SIGN_PASSWORD";

/// Somebody who can sign: a secret key of `minisign`, ready for use.
pub struct Signer(SecretKey);

impl Signer {
    /// The secret key in the file at `key`. If it has a password, that is the first line of
    /// `password_file`, or the value of [`PASSWORD_VARIABLE`], or asked for on the terminal.
    ///
    /// # Errors
    /// If the file is no such key, or there is no password or a wrong one.
    pub fn load(key: &Path, password_file: Option<&Path>) -> anyhow::Result<Self> {
        let name = key.display();
        let text = read_text(key)?;
        let encoded = text.lines().nth(1).unwrap_or_default().trim();
        // Not through the library's box for keys without a password: that wants a checksum, which
        // the original minisign doesn't write there.
        let stored = Base64::decode_to_vec(encoded, None).ok();
        let stored = stored.filter(|bytes| bytes.starts_with(b"Ed"));
        let stored = stored.and_then(|bytes| SecretKey::from_bytes(&bytes).ok());
        let stored = stored.with_context(|| format!("{name} is not a secret key of minisign"))?;
        if !stored.is_encrypted() {
            return Ok(Self(stored));
        }
        let password = password(key, password_file)?;
        let key = SecretKeyBox::from(text).into_secret_key(Some(password));
        key.map(Self).map_err(|error| anyhow!("{name}: {error}"))
    }

    /// Signs the image at `image`, and its signature file if there is one: makes `<image>.sha256`
    /// and `<image>.sha256.minisig`, and returns the name of the latter.
    ///
    /// # Errors
    /// If a file can't be read or written.
    pub fn sign(&self, image: &Path) -> anyhow::Result<PathBuf> {
        let mut lines = manifest::Manifest::default();
        for file in [image.to_owned(), with_suffix(image, ".sig")] {
            if file == image || file.try_exists().unwrap_or(true) {
                lines.push(file_name(&file)?, sha256_of(&file)?);
            }
        }
        let text = lines.to_bytes();
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let manifest = with_suffix(image, ".sha256");
        let label = file_name(&manifest)?.to_string_lossy().replace(char::is_control, "?");
        // As minisign itself writes it.
        let trusted = format!("timestamp:{seconds}\tfile:{label}\thashed");
        let untrusted = "signature from minisign secret key";
        let signature =
            minisign::sign(None, &self.0, Cursor::new(&text), Some(&trusted), Some(untrusted));
        let signature = signature.with_context(|| format!("signing {}", image.display()))?;

        // A signature of another manifest is none: until both are there, nothing is signed.
        write_atomically(&manifest, &text, None)?;
        let name = with_suffix(&manifest, ".minisig");
        write_atomically(&name, signature.into_string().as_bytes(), None)?;
        Ok(name)
    }
}

/// A public key of `minisign`.
#[derive(Clone, Debug)]
pub struct Verifier(PublicKey);

impl Verifier {
    /// The key in the file of that name or, if there is no such file, the key that `key` is: the
    /// line of 56 characters that `minisign` prints.
    ///
    /// # Errors
    /// If it is no key, or the file can't be read.
    pub fn load(key: &OsStr) -> anyhow::Result<Self> {
        let path = Path::new(key);
        let parsed = match key.to_str().filter(|_| !path.exists()) {
            Some(text) => PublicKey::from_base64(text.trim()),
            None => {
                PublicKeyBox::from_string(&read_text(path)?).and_then(PublicKeyBox::into_public_key)
            }
        };
        parsed.map(Self).map_err(|error| {
            anyhow!(
                "{} is neither a file nor text with a public key of minisign: {error}",
                path.display()
            )
        })
    }

    /// Checks that the image at `image` is signed with this key, and the files with it: their
    /// names, which are also returned, and their content.
    ///
    /// # Errors
    /// If there is no signature, it is another's, or a file is not what was signed.
    pub fn verify(&self, image: &Path) -> anyhow::Result<Vec<PathBuf>> {
        ensure!(
            image != Path::new("-"),
            "what comes from a pipe can't be checked before it is used"
        );
        let manifest = with_suffix(image, ".sha256");
        let text =
            read_small(&manifest).with_context(|| format!("{} is not signed", image.display()))?;
        self.verify_text(&with_suffix(&manifest, ".minisig"), &text)?;

        let manifest = manifest::Manifest::parse(&text).with_context(|| {
            format!("{}: not digests as sha256sum writes them", manifest.display())
        })?;
        let name = file_name(image)?;
        if !manifest.entries().iter().any(|entry| entry.name == name) {
            bail!("{}: signed are other files, not this one", image.display());
        }
        let mut verified = Vec::new();
        for entry in manifest.entries() {
            let path = image.with_file_name(&entry.name);
            if sha256_of(&path)? != entry.digest {
                bail!("{} is not the file that was signed", path.display());
            }
            verified.push(path);
        }
        Ok(verified)
    }

    fn verify_text(&self, signature: &Path, text: &[u8]) -> anyhow::Result<()> {
        let name = signature.display();
        let stored = read_text(signature)?;
        // The signature of the comment; the library counts on its length, 64 bytes.
        let whole = stored.lines().nth(3).is_some_and(|line| line.trim().len() == 88);
        ensure!(whole, "{name} is not a signature of minisign");
        let stored = SignatureBox::from_string(&stored);
        let stored = stored.map_err(|error| anyhow!("{name}: {error}"))?;
        let (quiet, copy, older_form) = (true, false, true);
        minisign::verify(&self.0, &stored, Cursor::new(text), quiet, copy, older_form)
            .map_err(|error| anyhow!("{name}: {error}"))
    }
}

/// The text of a file that is small, or not what it should be.
fn read_text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read_small(path)?).with_context(|| format!("{} is not text", path.display()))
}

fn read_small(path: &Path) -> anyhow::Result<Vec<u8>> {
    const LIMIT: u64 = 64 << 10;
    let name = path.display();
    let file = File::open(path).with_context(|| format!("opening {name}"))?;
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).with_context(|| format!("reading {name}"))?;
    ensure!(bytes.len() as u64 <= LIMIT, "{name} is too long");
    Ok(bytes)
}

fn password(key: &Path, file: Option<&Path>) -> anyhow::Result<String> {
    if let Some(file) = file {
        return Ok(read_text(file)?.lines().next().unwrap_or_default().to_owned());
    }
    if let Ok(password) = env::var(PASSWORD_VARIABLE) {
        return Ok(password);
    }
    rpassword::prompt_password(format!("Password of {}: ", key.display())).with_context(|| {
        format!("{} needs a password: give it in a file, or in {PASSWORD_VARIABLE}", key.display())
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn file_name(path: &Path) -> anyhow::Result<OsString> {
    let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
