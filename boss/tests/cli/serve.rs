//! `boss serve`.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::site::{Site, said};

/// A server that is up, and ends with the test.
pub(crate) struct Serving {
    child: Child,
    /// Nobody may have to wait until its log is read.
    pub(crate) log: BufReader<ChildStderr>,
    pub(crate) http: String,
}

impl Serving {
    pub(crate) fn new(site: &Site) -> Self {
        let mut command = site.command("serve --log-format json");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let first: Value = serde_json::from_str(&line).expect(&line);
        let http = first["http"].as_str().expect(&line).to_owned();
        Self { child, log, http }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn signals_end_it_well() {
    for signal in ["-TERM", "-INT"] {
        let mut serving = Serving::new(&Site::new());
        serving.signal(signal);
        let mut rest = String::new();
        serving.log.read_to_string(&mut rest).unwrap();
        for line in rest.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
        }
        assert_eq!(serving.child.wait().unwrap().code(), Some(0), "{rest}");
    }
}

#[test]
fn what_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::new();
    site.configure("http = '127.0.0.1:0'", &format!("http = '{address}'"));
    let output = site.boss("serve");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&address), "{}", said(&output));
}

#[test]
fn a_token_of_the_command_line_counts() {
    let site = Site::with_experiment();
    let token = String::from_utf8(site.boss("user token mike --days 1").stdout).unwrap();
    let serving = Serving::new(&site);
    let ask = |path: &str, token: &str| {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.get(format!("http://{}{path}", serving.http));
        let mut response =
            request.header("authorization", format!("Bearer {token}")).call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    };
    let (status, text) = ask("/api/v1/experiments", token.trim());
    assert_eq!(status, 200, "{text}");
    // Both show the same of the same.
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), site.json("exp list"));
    assert!(site.boss("user revoke mike").status.success());
    assert_eq!(ask("/api/v1/experiments", token.trim()).0, 401);
    // Who runs a server is told so.
    site.configure("http = '127.0.0.1:0'", &format!("http = '{}'", serving.http));
    let text = said(&site.boss("doctor"));
    assert!(text.contains(&format!("HTTP on {}: boss serves", serving.http)), "{text}");
}
