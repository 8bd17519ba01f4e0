//! Is the site fit to save disks? It takes a while, so it is asked only when somebody wants to know.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::doctor::{Finding, Surroundings, Verdict, examine};
use crate::server::Boss;
use crate::web::guard::Visitor;
use crate::web::page::{Page, Part, show};
use crate::web::trouble::Trouble;

#[derive(Template)]
#[template(path = "doctor.html")]
struct Doctor {
    page: Page,
    findings: Vec<Finding>,
    wrong: usize,
}

/// A class of `boss.css`.
const fn mark(finding: &Finding) -> &'static str {
    match finding.verdict {
        Verdict::Ok => "good",
        Verdict::Warning => "warn",
        Verdict::Error => "bad",
    }
}

pub(super) async fn examined(
    State(boss): State<Arc<Boss>>,
    visitor: Visitor,
) -> Result<Response, Trouble> {
    visitor.actor.needs_admin()?;
    let mut findings = examine(&boss.config, &Surroundings::default()).await;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    let wrong = findings.iter().filter(|finding| finding.verdict != Verdict::Ok).count();
    let page = Page::of(&boss, &visitor, Part::Home, "Is this site fit to save disks?").await?;
    show(&Doctor { page, findings, wrong })
}
