//! Clients that don't keep to the protocol are sent away, and others don't notice.

use std::io::{Read, Write};

use anyhow::Result;

use crate::client::Client;
use crate::export::{Running, prepare};

const INVALID: u32 = 22;
const NOT_PERMITTED: u32 = 1;
const FAILED: u32 = 5;

#[test]
fn a_client_of_any_kind_leaves_the_server_as_it_was() -> Result<()> {
    let bench = prepare()?;
    let server = Running::start(&bench, &["base.ndz", "delta.ndz"])?;
    let mut other = Client::connect(&server.socket)?;
    let size = other.go()?;

    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n\r\n\r\n"[..],
        &[0xff; 64],
        // An option that is none, and one with a name of 4 GiB.
        b"\0\0\0\x03NOOPTION\0\0\0\x01\0\0\0\0",
        b"\0\0\0\x03IHAVEOPT\0\0\0\x01\xff\xff\xff\xff",
    ] {
        let mut client = Client::connect(&server.socket)?;
        client.0.write_all(nonsense)?;
        assert!(client.sent_away(), "{}", nonsense.escape_ascii());
    }
    // Requests that are none, and more to write than may be.
    let mut client = Client::connect(&server.socket)?;
    client.go()?;
    client.0.write_all(&[0x55; 28])?;
    assert!(client.sent_away());
    let mut client = Client::connect(&server.socket)?;
    client.go()?;
    client.request(1, 0, u32::MAX)?;
    assert!(client.sent_away());

    let mut client = Client::connect(&server.socket)?;
    client.go()?;
    for (command, offset, len, error) in [
        (0, size, 1, INVALID),
        (0, u64::MAX, u32::MAX, INVALID),
        (0, 0, 0, INVALID),
        (0, 0, (32 << 20) + 1, INVALID),
        (4, 0, 512, NOT_PERMITTED),
        (6, 0, 512, NOT_PERMITTED),
        (7, 0, 512, INVALID),
        (3, 0, 0, INVALID),
        (0xffff, 0, 0, INVALID),
    ] {
        client.request(command, offset, len)?;
        assert_eq!(client.reply()?, error, "{command} {offset} {len}");
    }
    client.request(1, 0, 5000)?;
    client.0.write_all(&[1; 5000])?;
    assert_eq!(client.reply()?, NOT_PERMITTED);

    // Ones that ask for much and don't listen, and ones that go in the middle.
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(&server.socket)?;
        client.go()?;
        client.request(0, 0, 32 << 20)?;
        silent.push(client);
    }
    // More than there may be at a time.
    let mut crowd = Vec::new();
    while let Ok(client) = Client::connect(&server.socket) {
        crowd.push(client);
        anyhow::ensure!(crowd.len() < 100, "all clients are taken");
    }
    drop(silent);
    drop(crowd);

    other.request(0, 1 << 20, 4)?;
    assert_eq!(other.reply()?, 0);
    Ok(())
}

/// A damaged chunk is an error of the requests for it, and of no others.
#[test]
fn what_is_damaged_is_an_error_of_its_own_reads() -> Result<()> {
    let bench = prepare()?;
    let path = bench.path("base.ndz");
    let mut image = std::fs::read(&path)?;
    assert!(image.len() >= 3 << 20);
    image[(1 << 20) + 100_000] ^= 0xff;
    std::fs::write(&path, image)?;
    let server = Running::start(&bench, &["base.ndz"])?;
    let mut client = Client::connect(&server.socket)?;
    client.go()?;
    let mut errors = Vec::new();
    for mib in 0..48 {
        client.request(0, mib << 20, 1 << 20)?;
        errors.push(client.reply()?);
        if errors.last() == Some(&0) {
            let mut data = vec![0; 1 << 20];
            client.0.read_exact(&mut data)?;
        }
    }
    let failed = errors.iter().filter(|error| **error != 0).count();
    assert!((1..8).contains(&failed), "{errors:?}");
    assert!(errors.iter().all(|error| [0, FAILED].contains(error)), "{errors:?}");
    Ok(())
}
