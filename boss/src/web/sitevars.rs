//! Site variables, and what changes by them.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use super::fields::Fields;
use super::guard::Visitor;
use super::page::{Page, Part, done, show};
use super::trouble::Trouble;
use crate::db::sitevars::Sitevar;
use crate::error::{self, ErrorKind};
use crate::server::Boss;
use crate::sitevar;

#[derive(Template)]
#[template(path = "sitevars.html")]
struct Sitevars {
    page: Page,
    error: String,
    variables: Vec<Shown>,
}

/// A variable, as it is shown.
struct Shown {
    variable: Sitevar,
    /// What its form has: what was typed, or what counts.
    value: String,
    /// Whether what was typed makes no sense.
    wrong: bool,
    /// What happens with what counts.
    effect: &'static str,
    /// All values that there are, each with what it means; of others any text can be typed.
    choices: &'static [(&'static str, &'static str)],
    number: bool,
}

pub(super) fn router() -> Router<Arc<Boss>> {
    Router::new().route("/sitevars", get(list).post(set))
}

async fn list(State(boss): State<Arc<Boss>>, visitor: Visitor) -> Result<Response, Trouble> {
    shown(&boss, &visitor, &Fields::default(), "").await
}

async fn shown(
    boss: &Boss,
    visitor: &Visitor,
    typed: &Fields,
    error: &str,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let page = Page::of(boss, visitor, Part::Sitevars, "Site variables").await?;
    let all = boss.db.sitevars().await?.into_iter();
    let variables = all.map(|variable| {
        let of_this = typed.text("name") == variable.name;
        let typed = typed.given("value").filter(|_| of_this);
        Shown {
            value: typed.unwrap_or(variable.effective()).to_owned(),
            wrong: typed.is_some(),
            effect: effect(&variable.name, variable.effective()),
            choices: choices(&variable.name),
            number: sitevar::check(&variable.name, "x").is_err()
                && sitevar::check(&variable.name, "7").is_ok(),
            variable,
        }
    });
    show(&Sitevars { error: error.to_owned(), variables: variables.collect(), page })
}

async fn set(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    match set_one(&boss, &visitor, &fields).await {
        Ok(notice) => done(&boss, &visitor, &notice, "/sitevars").await,
        Err(error) => {
            let trouble = Trouble::from(error);
            let mut response = shown(&boss, &visitor, &fields, trouble.message()).await?;
            *response.status_mut() = trouble.status();
            Ok(response)
        }
    }
}

async fn set_one(boss: &Boss, visitor: &Visitor, fields: &Fields) -> error::Result<String> {
    let name = fields.text("name");
    // An empty text is a value; that the default counts is said by its own button.
    let value = match (fields.text("do"), fields.given("value")) {
        ("default", _) => None,
        ("set", Some(value)) => Some(value),
        _ => {
            return Err(ErrorKind::Invalid.because("the form says neither a value nor the default"));
        }
    };
    sitevar::set(&boss.db, &visitor.actor, name, value).await?;
    Ok(match value {
        None => format!("The default of {name} counts again."),
        Some("") => format!("{name} is empty now."),
        Some(value) => format!("{name} is {value} now."),
    })
}

/// What a variable's value brings about.
fn effect(name: &str, value: &str) -> &'static str {
    match (name, value) {
        ("swap/swapout_command", "") => {
            "No disk is saved at swapout, whatever experiments ask for: what users have changed is lost."
        }
        ("swap/swapout_command", "create-swapimage") => {
            "At swapout, the disks of experiments that ask for it are saved."
        }
        ("swap/swapout_command", _) => {
            "At swapout, nodes run this command; only create-swapimage saves disks."
        }
        ("swap/swapout_command_failaction", "fail") => {
            "When a disk can't be saved, the experiment stays swapped in, with all its nodes."
        }
        ("swap/swapout_command_failaction", _) => {
            "When a disk can't be saved, the nodes are given back all the same, and what that disk \
             had is lost; the swap ends with a warning."
        }
        ("swap/swapout_command_timeout", _) => {
            "A save has at least so many seconds; larger disks get more by their size."
        }
        ("images/create/maxwait", _) => "Making an image is ended after so many minutes.",
        ("images/create/idlewait", _) => {
            "Making an image is ended after so many minutes without progress."
        }
        ("swap/exposestatesave", "1") => {
            "Every user sees state saving, and may set it for the experiments that they control."
        }
        ("swap/exposestatesave", _) => {
            "Only administrators and users with the studly flag see state saving and may set it; what \
             experiments have stays as it is."
        }
        _ => "",
    }
}

fn choices(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "swap/swapout_command_failaction" => {
            &[("warn", "warn: go on with the swapout"), ("fail", "fail: stay swapped in")]
        }
        "swap/exposestatesave" => &[("0", "0: not to everybody"), ("1", "1: to every user")],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_chosen_can_be_set() {
        for name in ["swap/swapout_command_failaction", "swap/exposestatesave"] {
            assert!(choices(name).len() > 1);
            for (value, _) in choices(name) {
                assert_eq!(sitevar::check(name, value), Ok(()), "{name}={value}");
                assert!(!effect(name, value).is_empty());
            }
        }
    }
}
