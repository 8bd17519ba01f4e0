//! Who gets which answer, on each route. All routes are here: they are read from the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::client::{ALL, Web, Who, webs};

/// What is tried: method, route, path, form, and the status for each of [`ALL`].
type Row =
    (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], [u16; 7]);

/// Tried where a session or its end is what it is about (`signin`), or files of ours.
const ELSEWHERE: [(&str, &str); 4] =
    [("GET", "/signin"), ("POST", "/signin"), ("POST", "/signout"), ("POST", "/me/sessions/end")];

const NO_FIELDS: &[(&str, &str)] = &[];
const SURE: &[(&str, &str)] = &[("sure", "1")];

const ROWS: &[Row] = &[
    ("GET", "/", "/", NO_FIELDS, [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/experiments", "/experiments", NO_FIELDS, [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/experiments/new", "/experiments/new", NO_FIELDS, [303, 200, 403, 200, 200, 200, 200]),
    (
        "POST",
        "/experiments/new",
        "/experiments/new",
        &[("pid", "testbed"), ("eid", "trial"), ("vname", "a")],
        [401, 404, 403, 409, 409, 409, 409],
    ),
    (
        "GET",
        "/experiments/{pid}/{eid}",
        "/experiments/testbed/trial",
        NO_FIELDS,
        [303, 404, 200, 200, 200, 200, 200],
    ),
    (
        "GET",
        "/experiments/{pid}/{eid}/disks/{vname}",
        "/experiments/testbed/trial/disks/a",
        NO_FIELDS,
        // Nothing is saved.
        [303, 404, 404, 404, 404, 404, 404],
    ),
    (
        "GET",
        "/experiments/{pid}/{eid}/edit",
        "/experiments/testbed/trial/edit",
        NO_FIELDS,
        [303, 404, 403, 200, 200, 200, 200],
    ),
    (
        "POST",
        "/experiments/{pid}/{eid}/edit",
        "/experiments/testbed/trial/edit",
        &[("savedisk", "1")],
        [401, 404, 403, 403, 303, 403, 303],
    ),
    // It is swapped in.
    (
        "GET",
        "/experiments/{pid}/{eid}/swapin",
        "/experiments/testbed/trial/swapin",
        NO_FIELDS,
        [303, 404, 403, 409, 409, 409, 409],
    ),
    (
        "POST",
        "/experiments/{pid}/{eid}/swapin",
        "/experiments/testbed/trial/swapin",
        NO_FIELDS,
        [401, 404, 403, 409, 409, 409, 409],
    ),
    (
        "GET",
        "/experiments/{pid}/{eid}/remove",
        "/experiments/testbed/trial/remove",
        NO_FIELDS,
        [303, 404, 403, 409, 409, 409, 409],
    ),
    (
        "POST",
        "/experiments/{pid}/{eid}/remove",
        "/experiments/testbed/trial/remove",
        &[("sure", "1")],
        [401, 404, 403, 409, 409, 409, 409],
    ),
    // Without a confirmation.
    (
        "GET",
        "/experiments/{pid}/{eid}/swapout",
        "/experiments/testbed/trial/swapout",
        NO_FIELDS,
        [303, 404, 403, 200, 200, 200, 200],
    ),
    (
        "POST",
        "/experiments/{pid}/{eid}/swapout",
        "/experiments/testbed/trial/swapout",
        NO_FIELDS,
        [401, 404, 403, 400, 400, 400, 400],
    ),
    (
        "GET",
        "/experiments/{pid}/{eid}/load",
        "/experiments/testbed/trial/load",
        NO_FIELDS,
        [303, 404, 403, 200, 200, 200, 200],
    ),
    (
        "POST",
        "/experiments/{pid}/{eid}/load",
        "/experiments/testbed/trial/load",
        &[("vname", "a"), ("image", "testbed/BASE")],
        [401, 404, 403, 400, 400, 400, 400],
    ),
    (
        "GET",
        "/experiments/{pid}/{eid}/capture",
        "/experiments/testbed/trial/capture",
        NO_FIELDS,
        [303, 404, 403, 200, 200, 200, 200],
    ),
    (
        "POST",
        "/experiments/{pid}/{eid}/capture",
        "/experiments/testbed/trial/capture",
        &[("vname", "a"), ("place", "testbed/testbed"), ("load", "2")],
        [401, 404, 403, 400, 400, 400, 400],
    ),
    (
        "POST",
        "/experiments/{pid}/{eid}/prepare",
        "/experiments/testbed/trial/prepare",
        NO_FIELDS,
        [401, 404, 403, 303, 303, 303, 303],
    ),
    ("GET", "", "/none", NO_FIELDS, [303, 404, 404, 404, 404, 404, 404]),
    ("GET", "/me", "/me", NO_FIELDS, [303, 200, 200, 200, 200, 200, 200]),
    (
        "POST",
        "/me/time-zone",
        "/me/time-zone",
        &[("time_zone", "Europe/Berlin")],
        [401, 303, 303, 303, 303, 303, 303],
    ),
    (
        "POST",
        "/me/password",
        "/me/password",
        &[("old", "x"), ("new", "y"), ("again", "y")],
        [401, 400, 400, 400, 400, 400, 400],
    ),
    ("POST", "/me/tokens", "/me/tokens", &[("days", "0")], [401, 400, 400, 400, 400, 400, 400]),
    (
        "POST",
        "/me/tokens/revoke",
        "/me/tokens/revoke",
        &[("token", "0123456789ab")],
        [401, 404, 404, 404, 404, 404, 404],
    ),
    ("GET", "/sitevars", "/sitevars", NO_FIELDS, [303, 403, 403, 403, 403, 403, 200]),
    (
        "POST",
        "/sitevars",
        "/sitevars",
        &[("name", "swap/exposestatesave"), ("do", "default")],
        [401, 403, 403, 403, 403, 403, 303],
    ),
    ("GET", "/people", "/people", NO_FIELDS, [303, 200, 200, 200, 200, 200, 200]),
    ("POST", "/people/users", "/people/users", NO_FIELDS, [401, 403, 403, 403, 403, 403, 400]),
    (
        "POST",
        "/people/projects",
        "/people/projects",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 400],
    ),
    (
        "GET",
        "/people/projects/{pid}",
        "/people/projects/testbed",
        NO_FIELDS,
        [303, 404, 200, 200, 200, 200, 200],
    ),
    ("GET", "", "/people/projects/x", NO_FIELDS, [303, 404, 404, 404, 404, 404, 404]),
    (
        "POST",
        "/people/projects/{pid}/members",
        "/people/projects/testbed/members",
        &[("login", "reader"), ("gid", "sub"), ("trust", "user")],
        [401, 404, 403, 403, 403, 303, 303],
    ),
    (
        "POST",
        "/people/projects/{pid}/members/remove",
        "/people/projects/testbed/members/remove",
        &[("login", "reader"), ("gid", "sub"), ("confirm", "1")],
        [401, 404, 403, 403, 403, 303, 404],
    ),
    (
        "POST",
        "/people/projects/{pid}/groups",
        "/people/projects/testbed/groups",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 400],
    ),
    (
        "POST",
        "/people/projects/{pid}/directories",
        "/people/projects/testbed/directories",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 303],
    ),
    (
        "GET",
        "/people/users/{login}",
        "/people/users/mike",
        NO_FIELDS,
        [303, 403, 403, 403, 403, 403, 200],
    ),
    (
        "POST",
        "/people/users/{login}",
        "/people/users/mike",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 303],
    ),
    (
        "POST",
        "/people/users/{login}/password",
        "/people/users/mike/password",
        &[("password", "short")],
        [401, 403, 403, 403, 403, 403, 400],
    ),
    (
        "POST",
        "/people/users/{login}/sessions/end",
        "/people/users/mike/sessions/end",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 303],
    ),
    (
        "POST",
        "/people/users/{login}/tokens/revoke",
        "/people/users/mike/tokens/revoke",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 303],
    ),
    ("GET", "/nodes", "/nodes", NO_FIELDS, [303, 403, 403, 403, 403, 403, 200]),
    ("GET", "/nodes/{node_id}", "/nodes/pc1", NO_FIELDS, [303, 403, 403, 403, 403, 403, 200]),
    ("GET", "", "/nodes/pc9", NO_FIELDS, [303, 403, 403, 403, 403, 403, 404]),
    ("GET", "/nodes/new", "/nodes/new", NO_FIELDS, [303, 403, 403, 403, 403, 403, 200]),
    ("POST", "/nodes/new", "/nodes/new", NO_FIELDS, [401, 403, 403, 403, 403, 403, 400]),
    (
        "GET",
        "/nodes/{node_id}/edit",
        "/nodes/pc1/edit",
        NO_FIELDS,
        [303, 403, 403, 403, 403, 403, 200],
    ),
    (
        "POST",
        "/nodes/{node_id}/edit",
        "/nodes/pc1/edit",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 303],
    ),
    (
        "POST",
        "/nodes/{node_id}/disks",
        "/nodes/pc1/disks",
        NO_FIELDS,
        [401, 403, 403, 403, 403, 403, 400],
    ),
    (
        "POST",
        "/nodes/{node_id}/power",
        "/nodes/pc1/power",
        &[("do", "off")],
        [401, 403, 403, 403, 403, 403, 409],
    ),
    (
        "POST",
        "/nodes/{node_id}/service",
        "/nodes/pc1/service",
        &[("do", "in")],
        [401, 403, 403, 403, 403, 403, 303],
    ),
    (
        "POST",
        "/nodes/{node_id}/remove",
        "/nodes/pc1/remove",
        &[("confirm", "1")],
        [401, 403, 403, 403, 403, 403, 409],
    ),
    ("GET", "/images", "/images", NO_FIELDS, [303, 200, 200, 200, 200, 200, 200]),
    (
        "GET",
        "/images/{pid}/{name}/{version}",
        "/images/testbed/BASE/0",
        NO_FIELDS,
        [303, 404, 200, 200, 200, 200, 200],
    ),
    ("GET", "", "/images/testbed/BASE/x", NO_FIELDS, [303, 404, 404, 404, 404, 404, 404]),
    (
        "POST",
        "/images/{pid}/{name}/{version}/verify",
        "/images/testbed/BASE/9/verify",
        NO_FIELDS,
        [401, 404, 404, 404, 404, 404, 404],
    ),
    (
        "POST",
        "/images/{pid}/{name}/{version}/sign",
        "/images/testbed/BASE/9/sign",
        NO_FIELDS,
        [401, 404, 404, 404, 404, 404, 404],
    ),
    (
        "POST",
        "/images/{pid}/{name}/{version}/remove",
        "/images/testbed/BASE/0/remove",
        &[("confirm", "1")],
        [401, 404, 403, 403, 403, 409, 409],
    ),
    (
        "GET",
        "/images/{pid}/{name}/{version}/over",
        "/images/testbed/BASE/0/over",
        NO_FIELDS,
        [303, 404, 204, 204, 204, 204, 204],
    ),
    ("GET", "/images/import", "/images/import", NO_FIELDS, [303, 403, 403, 403, 403, 403, 200]),
    ("POST", "/images/import", "/images/import", NO_FIELDS, [401, 403, 403, 403, 403, 403, 400]),
    (
        "GET",
        "/images/imported",
        "/images/imported?image=testbed/BASE",
        NO_FIELDS,
        [303, 403, 403, 403, 403, 403, 200],
    ),
    (
        "GET",
        "/images/imported/over",
        "/images/imported/over?image=testbed/BASE",
        NO_FIELDS,
        [303, 403, 403, 403, 403, 403, 204],
    ),
    ("GET", "/swaps", "/swaps", NO_FIELDS, [303, 200, 200, 200, 200, 200, 200]),
    ("GET", "/swaps/{id}", "/swaps/1", NO_FIELDS, [303, 404, 404, 404, 404, 404, 404]),
    ("GET", "/swaps/{id}/live", "/swaps/1/live", NO_FIELDS, [303, 404, 404, 404, 404, 404, 404]),
    (
        "GET",
        "/swaps/{id}/events",
        "/swaps/x/events",
        NO_FIELDS,
        [303, 404, 404, 404, 404, 404, 404],
    ),
    (
        "GET",
        "/swaps/{id}/cancel",
        "/swaps/1/cancel",
        NO_FIELDS,
        [303, 404, 404, 404, 404, 404, 404],
    ),
    ("POST", "/swaps/{id}/cancel", "/swaps/1/cancel", SURE, [401, 404, 404, 404, 404, 404, 404]),
    (
        "GET",
        "/swaps/{id}/off/{node_id}",
        "/swaps/1/off/a",
        NO_FIELDS,
        [303, 404, 404, 404, 404, 404, 404],
    ),
    (
        "POST",
        "/swaps/{id}/off/{node_id}",
        "/swaps/1/off/a",
        SURE,
        [401, 404, 404, 404, 404, 404, 404],
    ),
    ("POST", "/doctor", "/doctor", NO_FIELDS, [401, 403, 403, 403, 403, 403, 200]),
];

fn ask(web: &Web, who: Who, (method, _, path, form, _): Row) -> crate::client::Answer {
    if method == "GET" { web.get(who, path) } else { web.post(who, path, form) }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_what_is_theirs() {
    for web in webs().await {
        for row in ROWS.iter().copied() {
            for (who, status) in ALL.into_iter().zip(row.4) {
                let answer = ask(&web, who, row);
                let (method, path) = (row.0, row.2);
                assert_eq!(answer.status, status, "{who:?} {method} {path}: {}", answer.text);
                let signed_in = who != Who::Nobody;
                if status >= 400 && signed_in {
                    assert!(!answer.alert().is_empty(), "{method} {path}: {}", answer.text);
                }
            }
        }
    }
}

/// A route that nobody tries to get in by would be the one that forgot to ask.
#[test]
fn no_route_is_forgotten() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let mut routes = BTreeSet::new();
    read(&sources, &mut routes);
    assert!(routes.len() > 3, "{routes:?}");
    let tried = ROWS.iter().map(|(method, route, ..)| (*method, *route)).chain(ELSEWHERE);
    let tried: BTreeSet<_> = tried.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    let untried: Vec<_> = routes.difference(&tried).collect();
    assert!(untried.is_empty(), "{untried:#?}");
}

/// Adds what `.route("…", get(…).post(…))` says in the sources of a directory.
fn read(directory: &Path, routes: &mut BTreeSet<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, routes);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for after in text.split(".route(").skip(1) {
            // Assets are a table.
            let Some(quoted) = after.trim_start().strip_prefix('"') else { continue };
            let (route, handlers) = quoted.split_once('"').unwrap();
            // To the call's end.
            let mut depth = 1;
            let end = handlers.find(|at: char| {
                depth += i32::from(at == '(') - i32::from(at == ')');
                depth == 0
            });
            let handlers = &handlers[..end.unwrap()];
            for (call, method) in [("get(", "GET"), ("post(", "POST")] {
                let is_call = |(at, _): (usize, &str)| {
                    !handlers[..at]
                        .ends_with(|before: char| before.is_alphanumeric() || before == '_')
                };
                if handlers.match_indices(call).any(is_call) {
                    routes.insert((method.to_owned(), route.to_owned()));
                }
            }
        }
    }
}
