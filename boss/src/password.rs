//! Passwords: only their Argon2 is kept.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::db::Database;
use crate::db::sessions::Session;
use crate::error::{ErrorKind, Result};
use crate::names::Login;

/// Each computation takes 19 MiB and a CPU for some ten milliseconds, and anybody can ask for one.
static AT_ONCE: Semaphore = Semaphore::const_new(2);
/// Of characters.
const SHORTEST: usize = 12;
/// Of bytes: nobody types more, and all of it is hashed.
const LONGEST: usize = 1024;
/// Of a password that nobody knows, so that a login that isn't known takes as long as one that is.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$c3dhcG1mcy1ib3NzLXNhbHQ$\
                       kPbhAOYzPKrOC3KNSV4OtZrGpkCdM3kqKZ8mLtV3QvY";

/// Sets a user's password, and ends all their sessions but one.
///
/// # Errors
/// `Invalid`: it is too short or too long; `NotFound`: no such user.
pub async fn set(
    db: &Database,
    login: &Login,
    password: &str,
    stays: Option<&Session>,
) -> Result<()> {
    check(password)?;
    let password = password.to_owned();
    let hash = computed(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| ErrorKind::Failed.because(error))
    });
    if db.set_password(login, Some(&hash.await??), stays).await? {
        return Ok(());
    }
    Err(ErrorKind::NotFound.because(format_args!("there is no user {login}")))
}

/// Whether a text can be a password.
///
/// # Errors
/// `Invalid`: it is too short or too long.
pub fn check(password: &str) -> Result<()> {
    if password.chars().count() >= SHORTEST && password.len() <= LONGEST {
        return Ok(());
    }
    let why = format!("a password has at least {SHORTEST} characters, and {LONGEST} bytes at most");
    Err(ErrorKind::Invalid.because(why))
}

/// Whether it is the user's password. Takes as long for users that aren't known.
///
/// # Errors
/// If that can't be found out.
pub async fn is(db: &Database, login: &Login, password: &str) -> Result<bool> {
    let kept = db.password(login).await?;
    let known = kept.is_some();
    let kept = kept.unwrap_or_else(|| NOBODYS.to_owned());
    let password = password.to_owned();
    let fits = computed(move || {
        let Ok(kept) = PasswordHash::new(&kept) else { return false };
        let within = password.len() <= LONGEST;
        within && Argon2::default().verify_password(password.as_bytes(), &kept).is_ok()
    });
    Ok(fits.await? && known)
}

async fn computed<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let permit = AT_ONCE.acquire().await?;
    let work = move || {
        let done = work();
        // Not before: who asked may have hung up, and the computation goes on all the same.
        drop(permit);
        done
    };
    Ok(tokio::task::spawn_blocking(work).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a login that isn't known would be answered at once.
    #[test]
    fn nobodys_password_can_be_compared() {
        let kept = PasswordHash::new(NOBODYS).unwrap();
        let error = Argon2::default().verify_password(b"guess", &kept).unwrap_err();
        assert!(matches!(error, argon2::password_hash::Error::PasswordInvalid), "{error}");
    }
}
