//! What all pages have: the head, who is signed in, what was just done.

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::guard::Visitor;
use super::trouble::Trouble;
use super::zone::{Time, Zone};
use crate::server::Boss;

pub(super) use crate::view::size;

/// Where in the site a page is, for its navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Home,
    Experiments,
    Swaps,
    Images,
    Nodes,
    Sitevars,
    People,
    Me,
    None,
}

/// A link of the navigation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    pub(super) href: &'static str,
    pub(super) text: &'a str,
    /// Whether the page is in that part.
    pub(super) current: bool,
}

/// What `layout.html` needs, as the field `page` of a page's template.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// What the page is about; its heading.
    pub(super) title: String,
    /// Where it is.
    pub(super) part: Part,
    /// Who is signed in.
    pub(super) login: Option<String>,
    /// Whether they may do everything.
    pub(super) admin: bool,
    /// What forms of the page have to say.
    pub(super) csrf: String,
    /// What was just done.
    pub(super) notice: String,
    /// What the page has in its head, to be loaded again by itself where there is no JavaScript, in
    /// seconds; 0 for never.
    pub(super) refresh: u32,
    zone: Zone,
}

impl Page {
    /// A page for somebody who is signed in.
    ///
    /// # Errors
    /// If the data base fails.
    pub(super) async fn of(
        boss: &Boss,
        visitor: &Visitor,
        part: Part,
        title: impl Into<String>,
    ) -> Result<Self, Trouble> {
        let session = &visitor.session;
        if !session.notice.is_empty() {
            boss.db.set_notice(session, "").await?;
        }
        Ok(Self { notice: session.notice.clone(), ..Self::without_notice(visitor, part, title) })
    }

    /// The same without what was just done, which a later page says.
    pub(super) fn without_notice(visitor: &Visitor, part: Part, title: impl Into<String>) -> Self {
        Self {
            login: Some(visitor.actor.user.login.to_string()),
            admin: visitor.actor.user.admin,
            csrf: visitor.csrf.clone(),
            zone: Zone::named(&visitor.session.time_zone),
            part,
            ..Self::for_nobody(title)
        }
    }

    /// A page for who isn't signed in.
    pub(super) fn for_nobody(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            part: Part::None,
            login: None,
            admin: false,
            csrf: String::new(),
            notice: String::new(),
            refresh: 0,
            zone: Zone::named(""),
        }
    }

    /// A time, in seconds since 1970, in the user's zone.
    pub(super) fn time(&self, seconds: i64) -> Time {
        self.zone.time(seconds)
    }

    /// The links to all parts that the user has.
    pub(super) fn links(&self) -> Vec<Link<'_>> {
        let me = self.login.as_deref().unwrap_or_default();
        let all = [
            (Part::Home, "/", "Overview", true),
            (Part::Experiments, "/experiments", "Experiments", true),
            (Part::Swaps, "/swaps", "Swaps", true),
            (Part::Images, "/images", "Images", true),
            (Part::Nodes, "/nodes", "Nodes", self.admin),
            (Part::People, "/people", "People", true),
            (Part::Sitevars, "/sitevars", "Site", self.admin),
            (Part::Me, "/me", me, true),
        ];
        let theirs = all.into_iter().filter(|(.., theirs)| *theirs);
        theirs
            .map(|(part, href, text, _)| Link { href, text, current: part == self.part })
            .collect()
    }
}

/// The reply with a page.
///
/// # Errors
/// If the template fails.
pub(super) fn show(template: &impl Template) -> Result<Response, Trouble> {
    Ok(Html(template.render()?).into_response())
}

/// Goes on to another page, which says what was done.
///
/// # Errors
/// If the data base fails.
pub(super) async fn done(
    boss: &Boss,
    visitor: &Visitor,
    notice: &str,
    next: &str,
) -> Result<Response, Trouble> {
    boss.db.set_notice(&visitor.session, notice).await?;
    Ok(Redirect::to(next).into_response())
}
