//! Commands of `WebDriver`, also those that only Chromium has.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use xtask::nfs::namespace::Namespace;

use crate::driver::Driver;

/// How long a single command may take; a page that doesn't load shows here.
const LIMIT: Duration = Duration::from_mins(1);

/// A session with a browser, for callers that wait.
#[derive(Debug)]
pub(crate) struct Wire {
    client: Client,
    runtime: Runtime,
    driver: Driver,
}

/// A command, as the protocol has it.
#[derive(Debug)]
struct Order {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl WebDriverCompatibleCommand for Order {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (self.method.clone(), self.body.as_ref().map(Value::to_string))
    }
}

impl Wire {
    /// Starts a browser, in a network of its own if there is one.
    pub(crate) fn open(network: Option<&Namespace>) -> Result<Self> {
        let driver = Driver::start(network)?;
        let build = || Builder::new_multi_thread().worker_threads(1).enable_all().build();
        // The session's task runs in a thread of this runtime, which stays in the network where it
        // was made.
        let runtime = match network {
            Some(network) => network.inside(build)??,
            None => build()?,
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(driver.capabilities());
        let url = driver.url();
        let client = wait(&runtime, async move { builder.connect(&url).await })??;
        Ok(Self { client, runtime, driver })
    }

    /// The directory that the browser takes for its user's.
    pub(crate) fn home(&self) -> &Path {
        self.driver.home()
    }

    fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let order = Order { method, path: path.to_owned(), body };
        let answer: Result<Value, CmdError> =
            wait(&self.runtime, self.client.issue_cmd(order)).with_context(|| path.to_owned())?;
        answer.with_context(|| path.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body))
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn chromium(&self, command: &str, parameters: &Value) -> Result<Value> {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
            .with_context(|| command.to_owned())
    }

    /// Runs a function's body in the page.
    pub(crate) fn script(&self, body: &str, arguments: &[Value]) -> Result<Value> {
        self.post("execute/sync", json!({ "script": body, "args": arguments }))
    }
}

/// Waits, also where another runtime's thread runs the test.
fn wait<T>(runtime: &Runtime, work: impl Future<Output = T>) -> Result<T> {
    let limited = async { tokio::time::timeout(LIMIT, work).await };
    tokio::task::block_in_place(|| runtime.block_on(limited)).context("the browser does not answer")
}
