//! What client and server agree on before the export is in use.

use std::io::{self, Read, Write};

use super::Export;
use super::protocol::{
    ALLOCATION, ALLOCATION_ID, EXPORT_FLAGS, FIXED_NEWSTYLE, Fields, GREETING, Info, NO_ZEROES,
    OPTION, OPTION_REPLY, Opt, Rep, read_u32, read_u64, violation,
};
use super::transmission::REQUEST_MAX;

/// The most bytes of an option: enough for a name of 4096 and some questions.
const OPTION_MAX: u32 = 16 << 10;
/// The most options that a client may send.
const OPTIONS_MAX: u32 = 256;
/// The block size that the export is best read with, in bytes.
const PREFERRED: u32 = 64 << 10;

/// What was agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// Replies are structured.
    pub(super) structured: bool,
    /// The client may ask which parts are holes.
    pub(super) allocation: bool,
}

/// Agrees with a client; `None` if it doesn't want to use the export.
pub(super) fn handshake(
    stream: &mut (impl Read + Write),
    export: &Export<'_>,
) -> io::Result<Option<Session>> {
    let mut greeting = GREETING.to_be_bytes().to_vec();
    greeting.extend(OPTION.to_be_bytes());
    greeting.extend((FIXED_NEWSTYLE | NO_ZEROES).to_be_bytes());
    stream.write_all(&greeting)?;
    let flags = read_u32(stream)?;
    if flags & !u32::from(FIXED_NEWSTYLE | NO_ZEROES) != 0 {
        return Err(violation("unknown flags"));
    }
    let no_zeroes = flags & u32::from(NO_ZEROES) != 0;
    let mut session = Session::default();
    for _ in 0..OPTIONS_MAX {
        if read_u64(stream)? != OPTION {
            return Err(violation("no option"));
        }
        let option = Opt(read_u32(stream)?);
        let len = read_u32(stream)?;
        if len > OPTION_MAX {
            if option == Opt::EXPORT_NAME {
                return Err(violation("too long a name"));
            }
            discard(stream, len)?;
            reply(stream, option, Rep::ERR_TOO_BIG, b"")?;
            continue;
        }
        let mut data = Vec::new();
        stream.take(len.into()).read_to_end(&mut data)?;
        if u32::try_from(data.len()) != Ok(len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match option {
            Opt::EXPORT_NAME => {
                // The only way to say that there is no such export is to hang up.
                if !data.is_empty() {
                    return Err(violation("no such export"));
                }
                let mut answer = export.size().to_be_bytes().to_vec();
                answer.extend(EXPORT_FLAGS.to_be_bytes());
                if !no_zeroes {
                    answer.extend([0; 124]);
                }
                stream.write_all(&answer)?;
                return Ok(Some(session));
            }
            Opt::ABORT => {
                // Nobody may wait for it.
                let _ = reply(stream, option, Rep::ACK, b"");
                return Ok(None);
            }
            Opt::GO | Opt::INFO => {
                if info(stream, option, &data, export)? && option == Opt::GO {
                    return Ok(Some(session));
                }
            }
            _ => answer(stream, option, &data, &mut session)?,
        }
    }
    Err(violation("too many options"))
}

/// Answers an option after which others may come.
fn answer(
    stream: &mut impl Write,
    option: Opt,
    data: &[u8],
    session: &mut Session,
) -> io::Result<()> {
    match option {
        Opt::LIST if data.is_empty() => {
            // The length of the name, which is empty.
            reply(stream, option, Rep::SERVER, &[0; 4])?;
            reply(stream, option, Rep::ACK, b"")
        }
        Opt::STRUCTURED_REPLY if data.is_empty() => {
            session.structured = true;
            reply(stream, option, Rep::ACK, b"")
        }
        Opt::SET_META_CONTEXT | Opt::LIST_META_CONTEXT => contexts(stream, option, data, session),
        Opt::LIST | Opt::STRUCTURED_REPLY => reply(stream, option, Rep::ERR_INVALID, b""),
        _ => reply(stream, option, Rep::ERR_UNSUP, b""),
    }
}

/// Tells of the export; whether there is one of that name.
fn info(
    stream: &mut impl Write,
    option: Opt,
    data: &[u8],
    export: &Export<'_>,
) -> io::Result<bool> {
    let Some((name, wanted)) = parse_info(data) else {
        reply(stream, option, Rep::ERR_INVALID, b"")?;
        return Ok(false);
    };
    if !name.is_empty() {
        reply(stream, option, Rep::ERR_UNKNOWN, b"there is one export, without a name")?;
        return Ok(false);
    }
    let mut about = Info::EXPORT.0.to_be_bytes().to_vec();
    about.extend(export.size().to_be_bytes());
    about.extend(EXPORT_FLAGS.to_be_bytes());
    reply(stream, option, Rep::INFO, &about)?;
    if wanted.contains(&Info::BLOCK_SIZE) {
        let mut about = Info::BLOCK_SIZE.0.to_be_bytes().to_vec();
        about.extend([1, PREFERRED, REQUEST_MAX].map(u32::to_be_bytes).as_flattened());
        reply(stream, option, Rep::INFO, &about)?;
    }
    reply(stream, option, Rep::ACK, b"")?;
    Ok(true)
}

/// The name of the export that is asked about, and what is wanted.
fn parse_info(data: &[u8]) -> Option<(&[u8], Vec<Info>)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let count = fields.u16()?;
    let wanted = (0..count).map(|_| fields.u16().map(Info)).collect::<Option<_>>()?;
    fields.0.is_empty().then_some((name, wanted))
}

/// Chooses or lists contexts, of which there is one.
fn contexts(
    stream: &mut impl Write,
    option: Opt,
    data: &[u8],
    session: &mut Session,
) -> io::Result<()> {
    let Some((name, queries)) = parse_contexts(data).filter(|_| session.structured) else {
        return reply(stream, option, Rep::ERR_INVALID, b"");
    };
    if !name.is_empty() {
        return reply(stream, option, Rep::ERR_UNKNOWN, b"there is one export, without a name");
    }
    let list = option == Opt::LIST_META_CONTEXT;
    let found = list && queries.is_empty()
        || queries.iter().any(|query| *query == ALLOCATION || list && *query == b"base:");
    if !list {
        session.allocation = found;
    }
    if found {
        let mut context = ALLOCATION_ID.to_be_bytes().to_vec();
        context.extend(ALLOCATION);
        reply(stream, option, Rep::META_CONTEXT, &context)?;
    }
    reply(stream, option, Rep::ACK, b"")
}

/// The name of the export, and the contexts that are asked for.
fn parse_contexts(data: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let mut fields = Fields(data);
    let name = fields.string()?;
    let count = fields.u32()?;
    // Each takes 4 bytes at least: a count that is too large ends soon.
    let mut queries = Vec::new();
    for _ in 0..count {
        queries.push(fields.string()?);
    }
    fields.0.is_empty().then_some((name, queries))
}

fn reply(stream: &mut impl Write, option: Opt, kind: Rep, data: &[u8]) -> io::Result<()> {
    let mut message = OPTION_REPLY.to_be_bytes().to_vec();
    message.extend(option.0.to_be_bytes());
    message.extend(kind.0.to_be_bytes());
    message.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    message.extend(data);
    stream.write_all(&message)
}

/// Reads `len` bytes that nobody wants.
pub(super) fn discard(stream: &mut impl Read, len: u32) -> io::Result<()> {
    let read = io::copy(&mut stream.take(len.into()), &mut io::sink())?;
    if read == u64::from(len) { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
