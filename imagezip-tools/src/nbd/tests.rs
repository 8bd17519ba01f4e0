//! Conversations with clients that are bytes.

use std::cell::RefCell;
use std::io::{self, Read, Write};

use imagezip_core::device::ReadAt;
use imagezip_core::error::{ErrorKind, Place};
use imagezip_core::extent::ExtentSet;
use imagezip_core::sector::{Bytes, Sector, SectorRange};
use proptest::prelude::*;

use super::Export;
use super::export::Run;
use super::handshake::{Session, handshake};
use super::protocol::{OPTION, OPTION_REPLY, REQUEST};
use super::transmission::answer_all;

/// A client that has said all that it will, and hears the answers.
struct Client {
    says: io::Cursor<Vec<u8>>,
    heard: Vec<u8>,
}

impl Client {
    fn new(says: Vec<u8>) -> Self {
        Self { says: io::Cursor::new(says), heard: Vec::new() }
    }
}

impl Read for Client {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.says.read(buf)
    }
}

impl Write for Client {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.heard.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk of 64 sectors, of which one can't be read.
struct Disk;

const BAD: u64 = 40;

fn byte(at: u64) -> u8 {
    if (8..48).contains(&(at / 512)) { u8::try_from(at % 251).unwrap() | 1 } else { 0 }
}

impl ReadAt for Disk {
    fn size(&self) -> Bytes {
        Bytes(64 * 512)
    }

    fn read_at(&self, offset: Bytes, buf: &mut [u8]) -> imagezip_core::Result<()> {
        let end = offset.get() + buf.len() as u64;
        if offset.get() < (BAD + 1) * 512 && end > BAD * 512 {
            return Err(ErrorKind::Read(5).at(Place::Byte(offset)));
        }
        buf.iter_mut().zip(offset.get()..).for_each(|(to, at)| *to = byte(at));
        Ok(())
    }
}

fn export() -> Export<'static> {
    let range = |a, b| SectorRange::new(Sector::from_u32(a), Sector::from_u32(b)).unwrap();
    let held: ExtentSet = [range(8, 20), range(24, 48)].into_iter().collect();
    Export::new(&Disk, held)
}

fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    [&OPTION.to_be_bytes()[..], &number.to_be_bytes(), &len.to_be_bytes(), data].concat()
}

fn request(flags: u16, command: u16, offset: u64, len: u32) -> Vec<u8> {
    let fields = [flags.to_be_bytes(), command.to_be_bytes()].concat();
    [&REQUEST.to_be_bytes()[..], &fields, &[7; 8], &offset.to_be_bytes(), &len.to_be_bytes()]
        .concat()
}

/// A reply's option, type and data.
type Reply = (u32, u32, Vec<u8>);

/// What was agreed on, and the replies.
fn agree(options: &[Vec<u8>]) -> (io::Result<Option<Session>>, Vec<Reply>) {
    let mut client = Client::new([&3_u32.to_be_bytes()[..], &options.concat()].concat());
    let outcome = handshake(&mut client, &export());
    assert_eq!(client.heard[..18], *b"NBDMAGICIHAVEOPT\0\x03");
    let mut rest = &client.heard[18..];
    let mut replies = Vec::new();
    while rest.starts_with(&OPTION_REPLY.to_be_bytes()) {
        let field = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
        let end = 20 + usize::try_from(field(16)).unwrap();
        replies.push((field(8), field(12), rest[20..end].to_vec()));
        rest = &rest[end..];
    }
    (outcome, replies)
}

const ACK: u32 = 1;
const GO: &[u8] = &[0, 0, 0, 0, 0, 1, 0, 3];

/// The answers to requests.
fn ask(session: Session, requests: &[Vec<u8>]) -> (io::Result<()>, Vec<u8>, usize) {
    let mut client = Client::new(requests.concat());
    let said = RefCell::new(0);
    let outcome = answer_all(&mut client, &export(), session, &|_| *said.borrow_mut() += 1);
    (outcome, client.heard, said.into_inner())
}

const SIMPLE: Session = Session { structured: false, allocation: false };
const STRUCTURED: Session = Session { structured: true, allocation: true };

#[test]
fn a_client_goes_with_what_it_wants() {
    let context = [&[0; 4][..], &1_u32.to_be_bytes(), &15_u32.to_be_bytes(), b"base:allocation"];
    let options = [option(8, b""), option(10, &context.concat()), option(7, GO)];
    let (session, replies) = agree(&options);
    assert_eq!(session.unwrap(), Some(STRUCTURED));
    let kinds: Vec<_> = replies.iter().map(|(option, kind, _)| (*option, *kind)).collect();
    assert_eq!(kinds, [(8, ACK), (10, 4), (10, ACK), (7, 3), (7, 3), (7, ACK)]);
    assert_eq!(replies[1].2, b"\0\0\0\x01base:allocation");
    assert_eq!(replies[3].2, [0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 1, 3]);
}

#[test]
fn an_old_client_is_told_size_and_flags() {
    for (flags, padding) in [(1_u32, 124), (3, 0)] {
        let says = [&flags.to_be_bytes()[..], &option(1, b"")].concat();
        let mut client = Client::new(says);
        assert_eq!(handshake(&mut client, &export()).unwrap(), Some(SIMPLE));
        let expected = [&[0, 0, 0, 0, 0, 0, 128, 0, 1, 3][..], &vec![0; padding]].concat();
        assert_eq!(client.heard[18..], expected);
    }
}

#[test]
fn wrong_options_are_answered_and_wrong_clients_are_not() {
    let (session, replies) = agree(&[
        option(3, b""),
        option(3, b"x"),
        option(5, b""),
        option(7, b"\0\0\0\x01a\0\0"),
        option(7, b"\0\0\0\x09a"),
        option(10, b"\0\0\0\0\0\0\0\0"),
        option(8, b""),
        option(9, b"\0\0\0\0\xff\xff\xff\xff"),
        option(99, &[0; 100]),
        option(99, &vec![0; 20_000]),
        option(2, b""),
    ]);
    assert_eq!(session.unwrap(), None);
    let (unsupported, invalid, unknown) = (0x8000_0001, 0x8000_0003, 0x8000_0006);
    let kinds: Vec<_> = replies.iter().map(|(_, kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            2,
            ACK,
            invalid,
            unsupported,
            unknown,
            invalid,
            invalid,
            ACK,
            invalid,
            unsupported,
            0x8000_0009,
            ACK
        ]
    );
    assert!(agree(&[option(1, b"other")]).0.is_err());
    assert!(agree(&[b"GET / HTTP/1.1\r\n\r\n".to_vec()]).0.is_err());
    assert!(agree(&vec![option(3, b""); 1000]).0.is_err());
    let mut client = Client::new(vec![0xff; 4]);
    assert!(handshake(&mut client, &export()).is_err());
}

fn simple(error: u32, data: &[u8]) -> Vec<u8> {
    [&0x6744_6698_u32.to_be_bytes()[..], &error.to_be_bytes(), &[7; 8], data].concat()
}

fn chunk(done: u16, kind: u16, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap().to_be_bytes();
    let fields = [done.to_be_bytes(), kind.to_be_bytes()].concat();
    [&0x668e_33ef_u32.to_be_bytes()[..], &fields, &[7; 8], &len, data].concat()
}

fn bytes(from: u64, to: u64) -> Vec<u8> {
    (from..to).map(byte).collect()
}

#[test]
fn simple_replies() {
    let (outcome, heard, said) = ask(
        SIMPLE,
        &[
            request(0, 0, 4000, 1000),
            request(0, 0, 64 * 512 - 1, 1),
            request(0, 0, 64 * 512 - 1, 2),
            request(0, 0, u64::MAX, 2),
            request(0, 0, 0, 0),
            request(1, 0, 0, 1),
            request(0, 0, 0, u32::MAX),
            [request(0, 1, 0, 3), b"abc".to_vec()].concat(),
            request(0, 4, 0, 512),
            request(0, 6, 0, 512),
            request(0, 3, 0, 0),
            request(0, 7, 0, 512),
            request(0, 99, 0, 0),
            request(0, 0, BAD * 512, 512),
            request(0, 2, 0, 0),
            b"nobody reads this".to_vec(),
        ],
    );
    outcome.unwrap();
    let (permission, io, invalid) = (1, 5, 22);
    let mut expected = simple(0, &bytes(4000, 5000));
    expected.extend(simple(0, &[0]));
    for error in [
        invalid, invalid, invalid, invalid, invalid, permission, permission, permission, invalid,
        invalid, invalid, io,
    ] {
        expected.extend(simple(error, b""));
    }
    assert!(heard == expected);
    assert_eq!(said, 1);
}

#[test]
fn structured_replies_have_holes() {
    let (outcome, heard, _) = ask(
        STRUCTURED,
        &[
            request(0, 0, 19 * 512, 6 * 512),
            request(8, 7, 0, 64 * 512),
            request(0, 7, 0, 64 * 512),
            [request(0, 1, 0, 3), b"abc".to_vec()].concat(),
        ],
    );
    outcome.unwrap();
    let data = |from: u64, to: u64| [&from.to_be_bytes()[..], &bytes(from, to)].concat();
    let runs = |runs: &[(u32, u32)]| -> Vec<u8> {
        let fields = runs
            .iter()
            .map(|(len, status)| [(len * 512).to_be_bytes(), status.to_be_bytes()].concat());
        [1_u32.to_be_bytes().to_vec()].into_iter().chain(fields).flatten().collect()
    };
    let expected = [
        chunk(0, 1, &data(19 * 512, 20 * 512)),
        chunk(0, 2, &[&(20 * 512_u64).to_be_bytes()[..], &2048_u32.to_be_bytes()].concat()),
        chunk(1, 1, &data(24 * 512, 25 * 512)),
        chunk(1, 5, &runs(&[(8, 3)])),
        chunk(1, 5, &runs(&[(8, 3), (12, 0), (4, 3), (24, 0), (16, 3)])),
    ];
    let expected = expected.concat();
    assert!(heard.starts_with(&expected));
    let denied = &heard[expected.len()..];
    assert_eq!(denied[..8], *b"\x66\x8e\x33\xef\0\x01\x80\x01");
    assert_eq!(denied[20..24], 1_u32.to_be_bytes());

    let (outcome, heard, said) = ask(STRUCTURED, &[request(0, 0, BAD * 512, 512)]);
    outcome.unwrap();
    assert_eq!((&heard[..8], said), (&b"\x66\x8e\x33\xef\0\x01\x80\x02"[..], 1));
    // Nobody has asked for the context.
    let session = Session { structured: true, allocation: false };
    let (_, heard, _) = ask(session, &[request(0, 7, 0, 512)]);
    assert_eq!(heard[20..24], 22_u32.to_be_bytes());
}

proptest! {
    #[test]
    fn any_bytes_end(says in prop::collection::vec(any::<u8>(), 0..200), agreed in 0..4_u8) {
        let mut client = Client::new(says.clone());
        let _ = handshake(&mut client, &export());
        let mut client = Client::new([&[0, 0, 0, 3][..], &says].concat());
        let _ = handshake(&mut client, &export());
        let mut client = Client::new([&[0, 0, 0, 3][..], &option(agreed.into(), &says)].concat());
        let _ = handshake(&mut client, &export());
        let _ = ask(STRUCTURED, &[says]);
    }

    #[test]
    fn any_request_is_answered(
        flags in 0..16_u16,
        command in 0..9_u16,
        offset in 0..70_000_u64,
        len in 0..70_000_u32,
        structured: bool,
    ) {
        let session = Session { structured, allocation: structured };
        let payload = if command == 1 { vec![0; usize::try_from(len).unwrap()] } else { Vec::new() };
        let (outcome, heard, said) =
            ask(session, &[request(flags, command, offset, len), payload, request(0, 99, 0, 0)]);
        // A simple reply that was begun can't be taken back.
        prop_assert!(outcome.is_ok() || !structured && said == 1);
        let last = if structured { chunk(1, 0x8001, b"")[..20].to_vec() } else { simple(22, b"") };
        let ended = heard.windows(8).filter(|part| *part == [7; 8]).count();
        let least = if command == 2 { 0 } else { 2 };
        prop_assert!(outcome.is_err() || ended >= least);
        prop_assert!(outcome.is_err() || command == 2 || heard.len() >= last.len() * 2);
    }

    #[test]
    fn runs_are_without_gaps(start in 0..33_000_u64, len in 0..33_000_u64) {
        let mut at = start;
        for Run { start, len, held } in export().runs(start, len) {
            prop_assert_eq!(start, at);
            prop_assert!(len > 0);
            at += len;
            for sector in start / 512..at.div_ceil(512) {
                prop_assert_eq!(held, (8..20).contains(&sector) || (24..48).contains(&sector));
            }
        }
        prop_assert_eq!(at, start + len);
    }
}
