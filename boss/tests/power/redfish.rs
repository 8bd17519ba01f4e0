//! The driver `redfish` and an HTTP server in the place of a BMC.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use boss::power::{Drivers, Machine, Power, PowerErrorKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{drivers, machine, script, until};

const PASSWORD: &str = r#"p"a\s s"#;
/// `boss` and the password in base64.
const BASIC: &str = "Basic Ym9zczpwImFccyBz";
const SYSTEM: &str = "/redfish/v1/Systems/System.1";
const RESET: &str = "/redfish/v1/Systems/System.1/Actions/ComputerSystem.Reset";

/// What the BMC knows and was asked.
#[derive(Default)]
struct Server {
    power: &'static str,
    /// What the power will be, and after how many more questions.
    wanted: Option<(&'static str, usize)>,
    /// How long an order takes, in questions.
    delay: usize,
    /// What it says instead of an answer.
    refusal: Option<StatusCode>,
    /// Orders: method, path, body.
    orders: Vec<(Method, String, Value)>,
    tags: Vec<Option<String>>,
}

type Shared = Arc<Mutex<Server>>;

async fn answer(State(server): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 65536).await.unwrap();
    let text = |name| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    if text(header::AUTHORIZATION).as_deref() != Some(BASIC) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut server = server.lock().unwrap();
    if parts.method == Method::GET {
        if parts.uri.path() != SYSTEM {
            return StatusCode::NOT_FOUND.into_response();
        }
        match &mut server.wanted {
            Some((power, 0)) => {
                server.power = power;
                server.wanted = None;
            }
            Some((_, left)) => *left -= 1,
            None => {}
        }
        return axum::Json(json!({
            "@odata.id": SYSTEM,
            "@odata.etag": "W/\"12\"",
            // Not the system's own.
            "Oem": { "Vendor": { "PowerState": "Off" } },
            "PowerState": server.power,
            "Actions": { "#ComputerSystem.Reset": { "target": RESET } },
        }))
        .into_response();
    }
    if let Some(refusal) = server.refusal {
        return (refusal, "{\"error\": {\"message\": \"busy\r\nnow\"}}").into_response();
    }
    let order: Value = serde_json::from_slice(&body).unwrap();
    let wanted = match order.get("ResetType").and_then(Value::as_str) {
        Some("On") => Some("On"),
        Some("ForceOff") => Some("Off"),
        _ => None,
    };
    server.wanted = wanted.map(|power| (power, server.delay));
    server.orders.push((parts.method, parts.uri.path().to_owned(), order));
    server.tags.push(text(header::IF_MATCH));
    StatusCode::NO_CONTENT.into_response()
}

/// A machine with such a BMC.
struct Bmc {
    directory: TempDir,
    drivers: Drivers,
    address: String,
    server: Shared,
}

impl Bmc {
    async fn new(power: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // What everybody on this machine can see of it.
        let curl = "echo \"$*\" >>\"${0%/*}/calls\"\nPATH=/usr/bin:/bin exec curl \"$@\"";
        script(&directory.path().join("curl"), curl);
        let drivers = drivers(directory.path());
        fs::write(directory.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        let server = Shared::new(Mutex::new(Server { power, ..Server::default() }));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { directory, drivers, address, server }
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }

    fn password(&self) -> PathBuf {
        self.directory.path().join("password")
    }

    /// The machine, with some settings that are different.
    fn with(&self, more: &[(&str, &str)]) -> Machine {
        let password = self.password();
        let mut settings = vec![
            ("ADDRESS", self.address.as_str()),
            ("USER", "boss"),
            ("PASSWORD_FILE", password.to_str().unwrap()),
            ("SYSTEM", "System.1"),
            ("INSECURE", "1"),
            ("REST", "0"),
        ];
        settings.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
        settings.extend(more);
        machine("redfish", &settings)
    }

    fn resets(&self) -> Vec<String> {
        let server = self.server();
        let reset = |(method, path, order): &(Method, String, Value)| {
            assert_eq!((method, path.as_str()), (&Method::POST, RESET));
            order["ResetType"].as_str().unwrap().to_owned()
        };
        server.orders.iter().map(reset).collect()
    }
}

#[tokio::test]
async fn a_machine_is_turned_on_and_off() {
    let bmc = Bmc::new("Off").await;
    let machine = bmc.with(&[]);
    assert_eq!(bmc.drivers.status(&machine).await, Ok(Power::Off));
    bmc.drivers.off(&machine).await.unwrap();
    bmc.drivers.on(&machine).await.unwrap();
    assert_eq!(bmc.drivers.status(&machine).await, Ok(Power::On));
    bmc.drivers.on(&machine).await.unwrap();
    bmc.drivers.off(&machine).await.unwrap();
    assert_eq!(bmc.server().power, "Off");
    bmc.drivers.cycle(&machine).await.unwrap();
    bmc.drivers.cycle(&machine).await.unwrap();
    assert_eq!(bmc.server().power, "On");
    assert_eq!(bmc.resets(), ["On", "ForceOff", "On", "ForceOff", "On"]);
    let calls = fs::read_to_string(bmc.directory.path().join("calls")).unwrap();
    assert!(calls.contains("--config - "), "{calls}");
    assert!(!calls.contains(PASSWORD) && !calls.contains("boss"), "{calls}");
}

#[tokio::test]
async fn off_is_only_said_when_it_was_seen() {
    let bmc = Bmc::new("On").await;
    bmc.server().delay = 2;
    bmc.drivers.off(&bmc.with(&[])).await.unwrap();
    assert_eq!(bmc.server().power, "Off");
    assert_eq!(bmc.resets(), ["ForceOff"]);
    for neither in ["PoweringOff", "PoweringOn", "Paused"] {
        bmc.server().power = neither;
        assert_eq!(bmc.drivers.status(&bmc.with(&[])).await, Ok(Power::On));
    }
    bmc.server().power = "off";
    let error = bmc.drivers.status(&bmc.with(&[])).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Failed, "{error}");
}

#[tokio::test]
async fn a_machine_that_stays_on_is_not_off() {
    let bmc = Bmc::new("On").await;
    bmc.server().delay = 1000;
    let machine = bmc.with(&[("LIMIT", "2")]);
    let error = bmc.drivers.off(&machine).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Failed);
    assert!(error.why.contains("not confirmed off after 2 seconds"), "{error}");
    bmc.server().refusal = Some(StatusCode::SERVICE_UNAVAILABLE);
    let error = bmc.drivers.off(&machine).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Failed);
    assert!(error.why.contains("answered with 503") && error.why.contains("busy now"), "{error}");
}

#[tokio::test]
async fn what_somebody_has_to_change_is_not_tried_again() {
    let bmc = Bmc::new("On").await;
    for wrong in [
        ("USER", "nobody"),
        ("USER", "a:b"),
        ("PASSWORD_FILE", "/no/such/file"),
        ("PASSWORD_FILE", "/dev/null"),
        ("SYSTEM", "2"),
        ("SYSTEM", "../Chassis"),
        ("INSECURE", "0"),
        ("ADDRESS", "a b"),
        ("ADDRESS", "a/b?c"),
    ] {
        for result in [
            bmc.drivers.off(&bmc.with(&[wrong])).await,
            bmc.drivers.diskboot(&bmc.with(&[wrong])).await,
        ] {
            let error = result.unwrap_err();
            assert_eq!(error.kind, PowerErrorKind::Misconfigured, "{wrong:?} {error}");
            assert!(!error.why.contains(PASSWORD));
        }
    }
    assert!(bmc.server().orders.is_empty());
}

#[tokio::test]
async fn a_bmc_that_does_not_answer_is_unreachable() {
    let bmc = Bmc::new("On").await;
    // Takes connections and never says a word; and one that takes none.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), closed] {
        let address = format!("http://{address}");
        let machine = bmc.with(&[("ADDRESS", &address), ("LIMIT", "2")]);
        let error = bmc.drivers.off(&machine).await.unwrap_err();
        assert_eq!(error.kind, PowerErrorKind::Unreachable, "{error}");
        assert!(error.why.contains("curl: ("), "{error}");
    }
}

#[tokio::test]
async fn the_next_start_is_from_where_it_was_asked_for() {
    let bmc = Bmc::new("On").await;
    bmc.drivers.netboot(&bmc.with(&[])).await.unwrap();
    bmc.drivers.diskboot(&bmc.with(&[])).await.unwrap();
    let server = bmc.server();
    let order = |target: &str| {
        let boot = json!({
            "BootSourceOverrideTarget": target, "BootSourceOverrideEnabled": "Once",
        });
        (Method::PATCH, SYSTEM.to_owned(), json!({ "Boot": boot }))
    };
    assert_eq!(server.orders, [order("Pxe"), order("Hdd")]);
    // Which state it is about, as some want to be told.
    assert!(server.tags.iter().all(|tag| tag.as_deref() == Some("W/\"12\"")), "{:?}", server.tags);
}

/// A server that gives out files over TLS, with a certificate that nobody has signed.
struct Tls(Child);

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn only_a_trusted_certificate_is_taken() {
    let bmc = Bmc::new("On").await;
    let path = |name: &str| bmc.directory.path().join(name);
    let certificate = path("cert.pem");
    let made = Command::new("openssl")
        .args(["req", "-new", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .args([path("key.pem").as_os_str(), "-out".as_ref(), certificate.as_os_str()])
        .output()
        .expect("openssl is there: `cargo xtask test` installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let systems = path("www/redfish/v1/Systems");
    fs::create_dir_all(&systems).unwrap();
    fs::write(systems.join("System.1"), "{\"PowerState\": \"Off\"}").unwrap();
    // A free port; somebody else could take it before it is used again, but nobody does.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let server = Command::new("openssl")
        .args(["s_server", "-quiet", "-WWW", "-accept", &free.to_string(), "-cert"])
        .args([certificate.as_os_str(), "-key".as_ref(), path("key.pem").as_os_str()])
        .current_dir(path("www"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _server = Tls(server.unwrap());
    until("the server listens", || std::net::TcpStream::connect(free).is_ok());

    let address = format!("localhost:{}", free.port());
    let status = async |more: &[(&str, &str)]| {
        let settings = [&[("ADDRESS", address.as_str())], more].concat();
        bmc.drivers.status(&bmc.with(&settings)).await
    };
    let error = status(&[("INSECURE", "0")]).await.unwrap_err();
    assert_eq!(error.kind, PowerErrorKind::Misconfigured, "{error}");
    assert!(error.why.contains("certificate"), "{error}");
    let trusted = [("INSECURE", "0"), ("CACERT", certificate.to_str().unwrap())];
    assert_eq!(status(&trusted).await, Ok(Power::Off));
    assert_eq!(status(&[("INSECURE", "1")]).await, Ok(Power::Off));
}
