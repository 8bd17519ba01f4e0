use super::*;
use crate::threads::StdThreads;
use rustix::io::Errno;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex as StdMutex, PoisonError};
use std::vec::Vec;

const LIMITS: Limits = Limits::new(100);

/// Storage that says when it is asked to sync, and does it when it is told how that ends.
struct Slow {
    asked: Sender<Range<u64>>,
    answers: StdMutex<Receiver<Result<()>>>,
}

impl Storage for Slow {
    fn sync(&self, range: Range<u64>) -> Result<()> {
        self.asked.send(range).unwrap();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).recv().unwrap()
    }
}

/// A writeback with its storage's questions and answers.
fn slow(progress: &'static Progress) -> (Writeback, Receiver<Range<u64>>, Sender<Result<()>>) {
    let (asked, questions) = channel();
    let (answer, answers) = channel();
    let storage = Arc::new(Slow { asked, answers: StdMutex::new(answers) });
    (Writeback::start(storage, LIMITS, &StdThreads, progress).unwrap(), questions, answer)
}

#[test]
fn writing_goes_on_while_the_server_stores() {
    static PROGRESS: Progress = Progress::new();
    let (mut writeback, questions, answer) = slow(&PROGRESS);
    writeback.has_written(49).unwrap();
    writeback.has_written(50).unwrap();
    assert_eq!(questions.recv().unwrap(), 0..50);
    // Nothing is stored yet, and nobody waits for it.
    writeback.has_written(99).unwrap();
    writeback.has_written(100).unwrap();
    assert_eq!(PROGRESS.snapshot().written, 0);
    answer.send(Ok(())).unwrap();
    assert_eq!(questions.recv().unwrap(), 50..100);
    assert_eq!(PROGRESS.snapshot().written, 50);
    answer.send(Ok(())).unwrap();
    writeback.finish().unwrap();
    assert_eq!(PROGRESS.snapshot().written, 100);
    assert!(questions.try_recv().is_err());
}

#[test]
fn who_is_too_far_ahead_waits() {
    static PROGRESS: Progress = Progress::new();
    let (writeback, questions, answer) = slow(&PROGRESS);
    writeback.has_written(60).unwrap();
    assert_eq!(questions.recv().unwrap(), 0..60);
    let writer = std::thread::spawn(move || {
        writeback.has_written(101).unwrap();
        (writeback, PROGRESS.snapshot().written)
    });
    answer.send(Ok(())).unwrap();
    let (mut writeback, stable) = writer.join().unwrap();
    assert_eq!(stable, 60, "it did not wait for what is stored");
    writeback.finish().unwrap();
}

#[test]
fn lost_data_end_the_writing() {
    static PROGRESS: Progress = Progress::new();
    let (mut writeback, questions, answer) = slow(&PROGRESS);
    writeback.has_written(60).unwrap();
    questions.recv().unwrap();
    answer.send(Err(Errno::NOSPC)).unwrap();
    // Waits, as this is far ahead, and is told.
    assert_eq!(writeback.has_written(200), Err(Errno::NOSPC));
    assert_eq!(writeback.has_written(201), Err(Errno::NOSPC));
    assert_eq!(writeback.finish(), Err(Errno::NOSPC));
    assert!(questions.try_recv().is_err(), "synced after data were lost");
    assert_eq!(PROGRESS.snapshot().written, 0);
}

#[test]
fn an_error_of_the_last_sync_is_told() {
    static PROGRESS: Progress = Progress::new();
    let (mut writeback, questions, answer) = slow(&PROGRESS);
    writeback.has_written(60).unwrap();
    questions.recv().unwrap();
    answer.send(Err(Errno::DQUOT)).unwrap();
    assert_eq!(writeback.finish(), Err(Errno::DQUOT));
}

/// Storage that only takes notes.
#[derive(Default)]
struct Notes(StdMutex<Vec<Range<u64>>>);

impl Storage for Notes {
    fn sync(&self, range: Range<u64>) -> Result<()> {
        self.0.lock().unwrap().push(range);
        Ok(())
    }
}

proptest::proptest! {
    #[test]
    fn every_byte_is_synced_once_and_never_more_than_allowed_is_not(
        steps in proptest::collection::vec(1..80_u64, 0..60)
    ) {
        static PROGRESS: Progress = Progress::new();
        let notes = Arc::new(Notes::default());
        let storage = Arc::clone(&notes) as Arc<dyn Storage>;
        let mut writeback =
            Writeback::start(storage, LIMITS, &StdThreads, &PROGRESS).unwrap();
        let synced = || notes.0.lock().unwrap().last().map_or(0, |range| range.end);
        let mut written = 0;
        for step in steps {
            written += step;
            writeback.has_written(written).unwrap();
            proptest::prop_assert!(written - synced() <= 100);
        }
        writeback.finish().unwrap();
        let mut end = 0;
        for range in notes.0.lock().unwrap().iter() {
            proptest::prop_assert_eq!(range.start, end);
            proptest::prop_assert!(range.end - range.start >= 50);
            end = range.end;
        }
        proptest::prop_assert!(end <= written);
    }
}
