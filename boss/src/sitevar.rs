//! Which values site variables can have.

use crate::access::Actor;
use crate::db::Database;
use crate::error::{ErrorKind, Result};

/// Sets a site variable, or with `None` has its default count again.
///
/// # Errors
/// `Refused`: not an administrator; `NotFound`; `Invalid`: not such a value.
pub async fn set(db: &Database, actor: &Actor, name: &str, value: Option<&str>) -> Result<()> {
    actor.needs_admin()?;
    if let Some(value) = value {
        check(name, value).map_err(|why| {
            ErrorKind::Invalid.because(format_args!("{name} can't be {value:?}: {why}"))
        })?;
    }
    if db.set_sitevar(name, value).await? {
        return Ok(());
    }
    Err(none(name))
}

/// There is no such variable.
pub fn none(name: &str) -> crate::error::Error {
    let why = format!(
        "there is no site variable {name:?}; the list of site variables (boss sitevar list) has all"
    );
    ErrorKind::NotFound.because(why)
}

/// Whether a variable can have a value.
///
/// # Errors
/// What it must be.
pub fn check(name: &str, value: &str) -> std::result::Result<(), &'static str> {
    let number = |value: &str| value.parse::<u32>().is_ok_and(|number| number > 0);
    let (good, why) = match name {
        // Nodes get it in one line, and Emulab's in 255 bytes.
        "swap/swapout_command" => (
            value.len() < 255 && !value.contains(char::is_control),
            "it must be one line of at most 254 bytes",
        ),
        "swap/swapout_command_failaction" => {
            (matches!(value, "warn" | "fail"), "it must be warn or fail")
        }
        "swap/swapout_command_timeout" => (number(value), "it must be a number of seconds"),
        "images/create/maxwait" | "images/create/idlewait" => {
            (number(value), "it must be a number of minutes")
        }
        "swap/exposestatesave" => (matches!(value, "0" | "1"), "it must be 0 or 1"),
        _ => (true, ""),
    };
    if good { Ok(()) } else { Err(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_be_misunderstood_are_refused() {
        for (name, good, bad) in [
            ("swap/swapout_command", "", "a\nb"),
            ("swap/swapout_command_failaction", "fail", "Fail"),
            ("swap/swapout_command_timeout", "120", "2m"),
            ("swap/swapout_command_timeout", "1", "0"),
            ("images/create/maxwait", "72", "-1"),
            ("swap/exposestatesave", "1", "yes"),
        ] {
            assert_eq!(check(name, good), Ok(()), "{name}={good}");
            assert!(check(name, bad).is_err(), "{name}={bad}");
        }
    }
}
