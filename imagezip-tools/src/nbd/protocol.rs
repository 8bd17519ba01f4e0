//! The numbers of the protocol, and messages as they are on the wire: big-endian.

use std::io::{self, Read};

/// What the server sends first: "NBDMAGIC".
pub(super) const GREETING: u64 = 0x4e42_444d_4147_4943;
/// What comes before the server's flags and before each option: "IHAVEOPT".
pub(super) const OPTION: u64 = 0x4948_4156_454f_5054;
/// What comes before each reply to an option.
pub(super) const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
/// What comes before each request.
pub(super) const REQUEST: u32 = 0x2560_9513;
/// What comes before each simple reply.
pub(super) const SIMPLE_REPLY: u32 = 0x6744_6698;
/// What comes before each chunk of a structured reply.
pub(super) const CHUNK: u32 = 0x668e_33ef;

/// Flags of the handshake, of server and client.
pub(super) const FIXED_NEWSTYLE: u16 = 1;
/// Flags of the handshake: no padding after an export's size and flags.
pub(super) const NO_ZEROES: u16 = 2;

/// What a client asks for before the export is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opt(pub(super) u32);

impl Opt {
    pub(super) const EXPORT_NAME: Self = Self(1);
    pub(super) const ABORT: Self = Self(2);
    pub(super) const LIST: Self = Self(3);
    pub(super) const INFO: Self = Self(6);
    pub(super) const GO: Self = Self(7);
    pub(super) const STRUCTURED_REPLY: Self = Self(8);
    pub(super) const LIST_META_CONTEXT: Self = Self(9);
    pub(super) const SET_META_CONTEXT: Self = Self(10);
}

/// The type of a reply to an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rep(pub(super) u32);

impl Rep {
    pub(super) const ACK: Self = Self(1);
    pub(super) const SERVER: Self = Self(2);
    pub(super) const INFO: Self = Self(3);
    pub(super) const META_CONTEXT: Self = Self(4);
    pub(super) const ERR_UNSUP: Self = Self(0x8000_0001);
    pub(super) const ERR_INVALID: Self = Self(0x8000_0003);
    pub(super) const ERR_UNKNOWN: Self = Self(0x8000_0006);
    pub(super) const ERR_TOO_BIG: Self = Self(0x8000_0009);
}

/// A kind of information about an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Info(pub(super) u16);

impl Info {
    pub(super) const EXPORT: Self = Self(0);
    pub(super) const BLOCK_SIZE: Self = Self(3);
}

/// The flags of an export: they are there, it can only be read, and what one connection reads is
/// what all others do.
pub(super) const EXPORT_FLAGS: u16 = 1 | 1 << 1 | 1 << 8;

/// The name of the context that tells which parts of an export are holes.
pub(super) const ALLOCATION: &[u8] = b"base:allocation";
/// Its number, which is the server's choice.
pub(super) const ALLOCATION_ID: u32 = 1;
/// The status of a part that is a hole and reads as zeros.
pub(super) const HOLE_AND_ZERO: u32 = 1 | 2;

/// What a client asks of the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Command(pub(super) u16);

impl Command {
    pub(super) const READ: Self = Self(0);
    pub(super) const WRITE: Self = Self(1);
    pub(super) const DISCONNECT: Self = Self(2);
    pub(super) const TRIM: Self = Self(4);
    pub(super) const WRITE_ZEROES: Self = Self(6);
    pub(super) const BLOCK_STATUS: Self = Self(7);
}

/// A flag of a request: tell only of the first part.
pub(super) const REQ_ONE: u16 = 1 << 3;

/// The number of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errno(pub(super) u32);

impl Errno {
    pub(super) const NONE: Self = Self(0);
    pub(super) const PERM: Self = Self(1);
    pub(super) const IO: Self = Self(5);
    pub(super) const INVAL: Self = Self(22);
}

/// The flag of the last chunk of a reply.
pub(super) const DONE: u16 = 1;

/// The type of a chunk of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkType(pub(super) u16);

impl ChunkType {
    pub(super) const OFFSET_DATA: Self = Self(1);
    pub(super) const OFFSET_HOLE: Self = Self(2);
    pub(super) const BLOCK_STATUS: Self = Self(5);
    pub(super) const ERROR: Self = Self(0x8001);
    pub(super) const ERROR_OFFSET: Self = Self(0x8002);
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) flags: u16,
    pub(super) command: Command,
    /// What the reply is known by.
    pub(super) cookie: u64,
    pub(super) offset: u64,
    pub(super) len: u32,
}

impl Request {
    /// The bytes of a request.
    pub(super) const BYTES: usize = 28;

    /// Takes a request apart; `None` if it isn't one.
    pub(super) fn parse(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.u32()? != REQUEST {
            return None;
        }
        Some(Self {
            flags: fields.u16()?,
            command: Command(fields.u16()?),
            cookie: fields.u64()?,
            offset: fields.u64()?,
            len: fields.u32()?,
        })
    }
}

/// Fields that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A length of 32 bits, and so many bytes.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (string, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(string)
    }
}

/// Reads a field of 32 bits.
pub(super) fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

/// Reads a field of 64 bits.
pub(super) fn read_u64(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}

/// That a client doesn't speak the protocol: its connection ends.
pub(super) fn violation(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
