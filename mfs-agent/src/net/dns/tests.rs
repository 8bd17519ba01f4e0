use super::message::tests::{a, answer, cname, name};
use super::*;
use core::cell::Cell;
use rustix::io::Errno;
use std::vec;

const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const TWO: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const FOUND: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Servers as a function, and what they were asked.
struct Servers<F>(F, Vec<(Ipv4Addr, String, How)>);

impl<F: FnMut(Ipv4Addr, &str, &[u8], How) -> OsResult<Vec<u8>>> Transport for Servers<F> {
    fn ask(
        &mut self,
        server: Ipv4Addr,
        query: &[u8],
        _wait: Duration,
        how: How,
    ) -> OsResult<Vec<u8>> {
        let mut text = String::new();
        let mut rest = &query[12..];
        while rest[0] != 0 {
            let (label, after) = rest[1..].split_at(rest[0].into());
            text = format!("{text}{}.", String::from_utf8_lossy(label));
            rest = after;
        }
        text.pop();
        self.1.push((server, text.clone(), how));
        (self.0)(server, &text, query, how)
    }
}

type Asked = Vec<(Ipv4Addr, String, How)>;

fn resolve(
    host: &str,
    servers: impl FnMut(Ipv4Addr, &str, &[u8], How) -> OsResult<Vec<u8>>,
) -> (Result<Ipv4Addr, String>, Asked) {
    let search = [name("lab.example.org"), name("example.org")];
    let resolver = Resolver { servers: &[ONE, TWO], search: &search };
    let mut servers = Servers(servers, Vec::new());
    let beats = Cell::new(0);
    let beat = || beats.set(beats.get() + 1);
    let result = resolver.resolve(host, Duration::from_millis(10), &mut servers, &beat);
    assert!(beats.get() >= servers.1.len().min(1));
    (result, servers.1)
}

fn found(query: &[u8]) -> OsResult<Vec<u8>> {
    Ok(answer(query, 0, &[a(&[0xc0, 12], FOUND.octets())]))
}

fn unknown(query: &[u8]) -> OsResult<Vec<u8>> {
    Ok(answer(query, 3, &[]))
}

fn names(asked: &Asked) -> Vec<&str> {
    asked.iter().map(|(_, name, _)| name.as_str()).collect()
}

#[test]
fn short_names_are_looked_up_in_the_domains_first() {
    let (result, asked) = resolve("fs", |_, name, query, _| match name {
        "fs.example.org" => found(query),
        _ => unknown(query),
    });
    assert_eq!(result, Ok(FOUND));
    assert_eq!(names(&asked), ["fs.lab.example.org", "fs.example.org"]);
    let (result, asked) = resolve("fs.lab", |_, _, query, _| unknown(query));
    assert_eq!(names(&asked), ["fs.lab", "fs.lab.lab.example.org", "fs.lab.example.org"]);
    let why = result.unwrap_err();
    assert!(why.contains("10.0.0.1 knows no address of fs.lab or fs.lab.lab.example.org"), "{why}");
    let (_, asked) = resolve("fs.", |_, _, query, _| unknown(query));
    assert_eq!(names(&asked), ["fs"]);
}

#[test]
fn the_second_server_answers_for_the_first() {
    for failure in [Err(Errno::TIMEDOUT), Ok(vec![0; 12]), Ok(vec![])] {
        let (result, asked) = resolve("fs.x", |server, _, query, _| match server {
            ONE => failure.clone(),
            _ => found(query),
        });
        assert_eq!(result, Ok(FOUND));
        assert_eq!(asked.len(), 2);
    }
    let (result, _) = resolve("fs.x", |server, _, query, _| match server {
        ONE => Ok(answer(query, 2, &[])),
        _ => Err(Errno::CONNREFUSED),
    });
    let why = result.unwrap_err();
    assert!(why.contains("10.0.0.1: refuses, with code 2, 10.0.0.2: connection refused"), "{why}");
}

#[test]
fn aliases_are_followed_but_not_for_ever() {
    let (result, _) = resolve("fs.x", |_, name, query, _| match name {
        "fs.x" => Ok(answer(query, 0, &[cname(&[0xc0, 12], b"\x02gs\x01y\0")])),
        "gs.y" => found(query),
        _ => unknown(query),
    });
    assert_eq!(result, Ok(FOUND));
    let (result, asked) = resolve("a.x", |_, name, query, _| {
        let other = if name == "a.x" { b"\x01b\x01x\0" } else { b"\x01a\x01x\0" };
        Ok(answer(query, 0, &[cname(&[0xc0, 12], other)]))
    });
    assert!(result.unwrap_err().contains("alias"));
    assert_eq!(asked.len(), ALIASES);
}

#[test]
fn long_answers_come_by_tcp() {
    let (result, asked) = resolve("fs.x", |_, _, query, how| {
        let mut answer = found(query)?;
        if how == How::Datagram {
            answer[2] |= 2;
        }
        Ok(answer)
    });
    assert_eq!(result, Ok(FOUND));
    assert_eq!(
        asked.iter().map(|(.., how)| *how).collect::<Vec<_>>(),
        [How::Datagram, How::Stream]
    );
}

#[test]
fn what_cannot_be_asked() {
    assert!(
        resolve("a..b", |_, _, query, _| found(query)).0.unwrap_err().contains("no host's name")
    );
    let none = Resolver { servers: &[], search: &[] };
    let mut servers = Servers(|_, _: &str, query: &[u8], _| found(query), Vec::new());
    let why = none.resolve("fs", Duration::ZERO, &mut servers, &|| {}).unwrap_err();
    assert!(why.contains("none is known"), "{why}");
}
