//! Writing a file in the background and around the page cache.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use rustix::fs::major;

use crate::host::{Buffer, Direct};

/// So many buffers may wait to be written: as long as there is one, the disk has work.
const BUFFERS_MAX: usize = 4;

/// What direct writes have to be aligned to. Disks ask for no more, and no page is shared by
/// what goes through the cache and what goes around it.
const UNIT: u64 = 4096;

/// A thread that writes what it is given to a file.
///
/// Copying an image into the page cache takes as much time of a CPU as reading what it is made
/// of, and then it still has to be written out. So writes go directly to the disk, from aligned
/// memory, while the threads that compress go on.
#[derive(Debug)]
pub(super) struct Behind {
    /// `None` when there is nothing more to come.
    jobs: Option<Sender<(u64, Buffer)>>,
    done: Receiver<(io::Result<()>, Buffer)>,
    thread: Option<JoinHandle<()>>,
    filling: Buffer,
    /// Where in the file `filling` begins.
    start: u64,
    spare: Vec<Buffer>,
    under_way: usize,
    /// Why a write failed: nothing after it counts.
    failed: Option<i32>,
}

impl Behind {
    /// A thread for `file`; `None` where it has no use: there are file systems without a disk of
    /// their own (of a server, in memory, in user space), on which direct writes are slow or none.
    pub(super) fn new(file: &File, start: u64) -> io::Result<Option<Self>> {
        if major(file.metadata()?.dev()) == 0 {
            return Ok(None);
        }
        let Some(direct) = Direct::open(file, UNIT) else { return Ok(None) };
        let cached = file.try_clone()?;
        let (jobs, for_thread) = mpsc::channel::<(u64, Buffer)>();
        let (of_thread, done) = mpsc::channel();
        let thread = thread::Builder::new().name("writer".to_owned()).spawn(move || {
            for (offset, buffer) in for_thread {
                let result = direct.write_buffer(&cached, offset, &buffer);
                if of_thread.send((result, buffer)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Some(Self {
            jobs: Some(jobs),
            done,
            thread: Some(thread),
            filling: Buffer::new(UNIT),
            start,
            spare: Vec::new(),
            under_way: 0,
            failed: None,
        }))
    }

    /// Takes bytes that come after all that were taken. An error may be that of earlier ones.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // Buffers end at multiples of their size, whatever the first one began at.
            let room =
                Buffer::ROOM - usize::try_from(self.start % Buffer::ROOM as u64).unwrap_or(0);
            let free = room.saturating_sub(self.filling.bytes().len());
            let (now, rest) = bytes.split_at(free.min(bytes.len()));
            self.filling.extend(now);
            bytes = rest;
            if now.len() == free {
                self.submit()?;
            }
        }
        Ok(())
    }

    /// Waits until the file holds everything.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if !self.filling.bytes().is_empty() {
            self.submit()?;
        }
        while self.under_way > 0 {
            self.take_back()?;
        }
        self.outcome()
    }

    /// Hands what has been filled to the thread.
    fn submit(&mut self) -> io::Result<()> {
        self.outcome()?;
        while self.under_way >= BUFFERS_MAX {
            self.take_back()?;
        }
        let next = self.spare.pop().unwrap_or_else(|| Buffer::new(UNIT));
        let full = std::mem::replace(&mut self.filling, next);
        let (start, len) = (self.start, full.bytes().len() as u64);
        self.start += len;
        self.under_way += 1;
        match self.jobs.as_ref().map(|jobs| jobs.send((start, full))) {
            Some(Ok(())) => Ok(()),
            _ => self.fail(&io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits for a buffer that has been written.
    fn take_back(&mut self) -> io::Result<()> {
        let Ok((result, mut buffer)) = self.done.recv() else {
            return self.fail(&io::ErrorKind::BrokenPipe.into());
        };
        self.under_way = self.under_way.saturating_sub(1);
        buffer.clear();
        self.spare.push(buffer);
        result.or_else(|error| self.fail(&error))
    }

    fn fail(&mut self, error: &io::Error) -> io::Result<()> {
        let first = self.failed.get_or_insert(error.raw_os_error().unwrap_or(0));
        Err(io::Error::from_raw_os_error(*first))
    }

    fn outcome(&self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }
}

impl Drop for Behind {
    /// Nothing is written any more after this.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::{TempDir, tempdir_in};

    /// A directory beside the tests; the system's for temporary files may be in memory.
    fn on_disk() -> TempDir {
        tempdir_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap()
    }

    #[test]
    fn what_is_pushed_is_in_the_file_when_it_has_settled() {
        let dir = on_disk();
        let path = dir.path().join("file");
        let file = File::create(&path).unwrap();
        let Some(mut behind) = Behind::new(&file, 4096).unwrap() else {
            eprintln!("{}: no direct writes here", path.display());
            return;
        };
        let data: Vec<u8> = (0..9_000_001_u32).map(|number| (number % 251) as u8).collect();
        let mut at = 0;
        for len in [1, 511, 4096, 3 << 20, 77, 2_000_000, usize::MAX] {
            let end = data.len().min(at + len.min(data.len()));
            behind.push(&data[at..end]).unwrap();
            at = end;
            if len % 2 == 1 {
                behind.settle().unwrap();
                assert!(fs::read(&path).unwrap()[4096..] == data[..at], "{at}");
            }
        }
        assert_eq!(at, data.len());
    }

    #[test]
    fn an_error_is_not_forgotten() {
        let dir = on_disk();
        let file = File::create(dir.path().join("file")).unwrap();
        // No file system has files so large.
        let Some(mut behind) = Behind::new(&file, 1 << 60).unwrap() else { return };
        behind.push(&vec![1; Buffer::ROOM]).unwrap();
        let too_large = Some(rustix::io::Errno::FBIG.raw_os_error());
        for _ in 0..2 {
            assert_eq!(behind.settle().unwrap_err().raw_os_error(), too_large);
        }
        assert!(behind.push(&vec![1; Buffer::ROOM]).is_err());
    }
}
