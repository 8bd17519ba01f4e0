//! What clients ask of the export, and the answers.

use std::io::{self, Read, Write};

use super::Export;
use super::handshake::{Session, discard};
use super::protocol::{
    ALLOCATION_ID, CHUNK, ChunkType, Command, DONE, Errno, HOLE_AND_ZERO, REQ_ONE, Request,
    SIMPLE_REPLY, violation,
};

/// The most bytes that a request is about.
pub(super) const REQUEST_MAX: u32 = 32 << 20;
/// How much is read and sent at a time, in bytes.
const STEP: usize = 1 << 20;
/// The most parts that are told of at once. A client asks again for the rest.
const PARTS_MAX: usize = 4096;

/// Answers requests until the client goes.
///
/// `say` is told what could not be read; the client gets no more than a number.
pub(super) fn answer_all(
    stream: &mut (impl Read + Write),
    export: &Export<'_>,
    session: Session,
    say: &dyn Fn(imagezip_core::Error),
) -> io::Result<()> {
    let mut buf = Vec::new();
    loop {
        let mut bytes = [0; Request::BYTES];
        match stream.read_exact(&mut bytes) {
            // It should have said so.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let request = Request::parse(&bytes).ok_or_else(|| violation("no request"))?;
        if request.command == Command::DISCONNECT {
            return Ok(());
        }
        let mut answer = Answer { stream, export, session, request, buf: &mut buf, say };
        answer.run()?;
    }
}

struct Answer<'a, S> {
    stream: &'a mut S,
    export: &'a Export<'a>,
    session: Session,
    request: Request,
    buf: &'a mut Vec<u8>,
    say: &'a dyn Fn(imagezip_core::Error),
}

impl<S: Read + Write> Answer<'_, S> {
    fn run(&mut self) -> io::Result<()> {
        let Request { flags, command, offset, len, .. } = self.request;
        let inside = self.export.contains(offset, len);
        match command {
            Command::READ if flags == 0 && inside && len <= REQUEST_MAX => self.read(),
            Command::BLOCK_STATUS if flags & !REQ_ONE == 0 && inside && self.session.allocation => {
                self.status(flags & REQ_ONE != 0)
            }
            Command::WRITE => {
                // What it wanted to write comes with the request.
                if len > REQUEST_MAX {
                    return Err(violation("too much to write"));
                }
                discard(self.stream, len)?;
                self.fail(Errno::PERM, "this export can only be read")
            }
            Command::TRIM | Command::WRITE_ZEROES => {
                self.fail(Errno::PERM, "this export can only be read")
            }
            _ => self.fail(Errno::INVAL, "no request that this export answers"),
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let Request { offset, len, .. } = self.request;
        if !self.session.structured {
            return self.read_simple(offset, len.into());
        }
        let end = offset.saturating_add(len.into());
        let export = self.export;
        for run in export.runs(offset, len.into()) {
            let run_end = run.start.saturating_add(run.len);
            if !run.held {
                let flags = if run_end == end { DONE } else { 0 };
                let mut hole = run.start.to_be_bytes().to_vec();
                // It is a part of the request, whose length has 32 bits.
                hole.extend(u32::try_from(run.len).unwrap_or(u32::MAX).to_be_bytes());
                self.chunk(flags, ChunkType::OFFSET_HOLE, &[&hole])?;
                continue;
            }
            let mut at = run.start;
            while at < run_end {
                let mut buf = std::mem::take(self.buf);
                fit(&mut buf, run_end.saturating_sub(at));
                let read = export.read(at, &mut buf);
                let next = at.saturating_add(buf.len() as u64);
                let sent = match read {
                    Ok(()) => {
                        let flags = if next == end { DONE } else { 0 };
                        self.chunk(flags, ChunkType::OFFSET_DATA, &[&at.to_be_bytes(), &buf])
                    }
                    Err(error) => {
                        (self.say)(error);
                        let mut body = error_body(Errno::IO, "reading failed");
                        body.extend(at.to_be_bytes());
                        return self.chunk(DONE, ChunkType::ERROR_OFFSET, &[&body]);
                    }
                };
                *self.buf = buf;
                sent?;
                at = next;
            }
        }
        Ok(())
    }

    fn read_simple(&mut self, mut at: u64, len: u64) -> io::Result<()> {
        let end = at.saturating_add(len);
        let mut begun = false;
        while at < end {
            fit(self.buf, end.saturating_sub(at));
            if let Err(error) = self.export.read(at, self.buf) {
                (self.say)(error);
                // Once it was said that all is well, there is no other way to take it back.
                let hang_up = || violation("reading failed in the middle of a reply");
                return if begun { Err(hang_up()) } else { self.simple(Errno::IO) };
            }
            if !begun {
                self.simple(Errno::NONE)?;
                begun = true;
            }
            self.stream.write_all(self.buf)?;
            at = at.saturating_add(self.buf.len() as u64);
        }
        Ok(())
    }

    fn status(&mut self, one: bool) -> io::Result<()> {
        let Request { offset, len, .. } = self.request;
        let mut body = ALLOCATION_ID.to_be_bytes().to_vec();
        let count = if one { 1 } else { PARTS_MAX };
        for run in self.export.runs(offset, len.into()).take(count) {
            let status = if run.held { 0 } else { HOLE_AND_ZERO };
            body.extend(u32::try_from(run.len).unwrap_or(u32::MAX).to_be_bytes());
            body.extend(status.to_be_bytes());
        }
        self.chunk(DONE, ChunkType::BLOCK_STATUS, &[&body])
    }

    fn fail(&mut self, errno: Errno, why: &str) -> io::Result<()> {
        if self.session.structured {
            self.chunk(DONE, ChunkType::ERROR, &[&error_body(errno, why)])
        } else {
            self.simple(errno)
        }
    }

    fn simple(&mut self, errno: Errno) -> io::Result<()> {
        let mut message = SIMPLE_REPLY.to_be_bytes().to_vec();
        message.extend(errno.0.to_be_bytes());
        message.extend(self.request.cookie.to_be_bytes());
        self.stream.write_all(&message)
    }

    /// Sends a chunk of a structured reply, whose payload is the parts together.
    fn chunk(&mut self, flags: u16, kind: ChunkType, parts: &[&[u8]]) -> io::Result<()> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut head = CHUNK.to_be_bytes().to_vec();
        head.extend(flags.to_be_bytes());
        head.extend(kind.0.to_be_bytes());
        head.extend(self.request.cookie.to_be_bytes());
        head.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        self.stream.write_all(&head)?;
        parts.iter().try_for_each(|part| self.stream.write_all(part))
    }
}

/// Makes a buffer as long as what is left, or as one step.
fn fit(buf: &mut Vec<u8>, left: u64) {
    buf.resize(usize::try_from(left).unwrap_or(usize::MAX).min(STEP), 0);
}

fn error_body(errno: Errno, why: &str) -> Vec<u8> {
    let mut body = errno.0.to_be_bytes().to_vec();
    body.extend(u16::try_from(why.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.extend(why.as_bytes());
    body
}
