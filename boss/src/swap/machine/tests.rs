//! Runs, step by step.

use proptest::prelude::*;

use super::*;
use crate::db::swaps::Signs;
use crate::swap::fixture::run;

const POLICY: Policy = Policy { attempts: 3, backoff: 10 };

fn at(now: i64) -> Seen {
    Seen { now, error_is_known: true, ..Seen::default() }
}

fn up(state: RunState) -> Run {
    let mut run = run(state);
    run.decision.power_at = Some(0);
    run.signs = Signs { boots: 1, setup_at: Some(5), up_at: Some(10), ..Signs::default() };
    run
}

fn ended(outcome: Outcome, off: bool) -> Run {
    let mut run = run(RunState::Ended);
    run.decision.outcome = Some(outcome);
    run.decision.off_at = off.then_some(1);
    run
}

#[test]
fn a_save_from_request_to_end() {
    let mut run = run(RunState::Requested);
    assert_eq!(step(&run, &at(0), POLICY), Step::Stay, "it is not its turn");
    let turn = Seen { turn: true, ..at(0) };
    assert_eq!(step(&run, &turn, POLICY), Step::Enter(RunState::Booting));
    run.decision.state = RunState::Booting;
    assert_eq!(wanted(&run, None), Some(Action::BootMfs));
    run.decision.power_at = Some(0);
    assert_eq!(wanted(&run, None), None);
    assert_eq!(step(&run, &at(299), POLICY), Step::Stay);
    let mut run = up(RunState::Booting);
    assert_eq!(step(&run, &at(20), POLICY), Step::Enter(RunState::InMfs));
    run.decision.state = RunState::InMfs;
    for (phase, next) in [("save", RunState::Working), ("verify", RunState::Verifying)] {
        let progress = Progress { phase: phase.to_owned(), ..Progress::default() };
        let seen = Seen { progress: Some(progress), ..at(30) };
        assert_eq!(step(&run, &seen, POLICY), Step::Enter(next));
        run.decision.state = next;
    }
    assert_eq!(wanted(&run, None), None, "the node has not said that it is ready");
    run.signs.startstatus = Some("0".to_owned());
    assert_eq!(wanted(&run, None), Some(Action::Check));
    assert_eq!(
        step(&run, &at(99_999), POLICY),
        Step::Stay,
        "what boss does has no limit of the node's"
    );
    let seen = Seen { acted: Some((Action::Check, Ok(()))), ..at(50) };
    assert_eq!(step(&run, &seen, POLICY), Step::Stop(Outcome::Done, String::new()));
    // A file server that is away for a while, and for ever.
    let error = ActionError { why: "no answer".to_owned(), is_final: false };
    let unread = |now| Seen { acted: Some((Action::Check, Err(error.clone()))), ..at(now) };
    assert_eq!(step(&run, &unread(1000), POLICY), Step::Stay);
    assert!(matches!(step(&run, &unread(1001), POLICY), Step::Stop(Outcome::Failed, _)));
    let cancelled = Seen { cancelled: true, ..unread(60) };
    assert!(matches!(step(&run, &cancelled, POLICY), Step::Stop(Outcome::Failed, _)));
    run.decision.state = RunState::Stopping;
    run.decision.outcome = Some(Outcome::Done);
    assert_eq!(wanted(&run, None), Some(Action::TurnOff));
    let error = ActionError { why: "no answer".to_owned(), is_final: true };
    let seen = Seen { acted: Some((Action::TurnOff, Err(error))), ..at(60) };
    assert_eq!(step(&run, &seen, POLICY), Step::Stay, "not off: not over");
    let seen = Seen { acted: Some((Action::TurnOff, Ok(()))), ..at(60) };
    assert_eq!(step(&run, &seen, POLICY), Step::Enter(RunState::Ended));
}

#[test]
fn only_zero_is_success() {
    for (text, word) in [
        ("1", "exit status 1"),
        ("137", "signal 9"),
        ("666", "could not start"),
        ("", "\"\""),
        ("ok", "\"ok\""),
        ("-0x", "instead of an exit status"),
        ("00x", "instead"),
    ] {
        let mut run = up(RunState::Working);
        run.signs.startstatus = Some(text.to_owned());
        let Step::Stop(Outcome::Failed, why) = step(&run, &at(20), POLICY) else {
            panic!("{text:?} is taken for something else");
        };
        assert!(why.contains(word), "{why}");
        assert_eq!(wanted(&run, None), None);
    }
}

#[test]
fn a_failure_is_told_with_its_reason() {
    let mut run = up(RunState::Working);
    run.signs.startstatus = Some("26".to_owned());
    let early = Seen { error_is_known: false, ..at(20) };
    assert_eq!(step(&run, &early, POLICY), Step::Stay);
    let seen = Seen { error: Some("no disk sda".to_owned()), ..at(21) };
    let Step::Stop(Outcome::Failed, why) = step(&run, &seen, POLICY) else { panic!("no end") };
    assert_eq!(why, "exit status 26: no disk sda");
}

#[test]
fn limits_count_from_the_nodes_own_start() {
    let mut run = run(RunState::Booting);
    run.decision.power_at = Some(1000);
    assert_eq!(step(&run, &at(1300), POLICY), Step::Stay);
    assert!(
        matches!(step(&run, &at(1301), POLICY), Step::Again(why) if why.contains("boot script"))
    );
    run.decision.attempt = 3;
    assert!(matches!(step(&run, &at(1301), POLICY), Step::Stop(Outcome::TimedOut, why)
        if why.contains("tried 3 times")));
    let mut run = up(RunState::Working);
    run.decision.progress_at = 950;
    assert_eq!(step(&run, &at(1010), POLICY), Step::Stay);
    assert!(matches!(step(&run, &at(1011), POLICY), Step::Stop(Outcome::TimedOut, _)));
    run.decision.progress_at = 50;
    assert_eq!(step(&run, &at(150), POLICY), Step::Stay);
    assert!(matches!(step(&run, &at(151), POLICY), Step::Stop(Outcome::TimedOut, why)
        if why.contains("no progress")));
}

#[test]
fn nodes_that_start_again_and_errors_that_pass() {
    let mut run = up(RunState::Working);
    run.signs.up_at = None;
    assert!(matches!(step(&run, &at(20), POLICY), Step::Again(_)));
    let mut run = up(RunState::Working);
    run.signs.startstatus = Some("23".to_owned());
    assert!(matches!(step(&run, &at(20), POLICY), Step::Again(_)));
    run.decision.attempt = 3;
    assert!(matches!(step(&run, &at(20), POLICY), Step::Stop(Outcome::Failed, _)));
    assert_eq!([1, 2, 3, 40].map(|attempt| pause(attempt, POLICY)), [10, 20, 40, 3600]);
}

#[test]
fn who_was_at_work_is_turned_off_when_it_is_cancelled() {
    let mut run = run(RunState::Requested);
    let cancelled = Seen { cancelled: true, ..at(5) };
    assert!(matches!(step(&run, &cancelled, POLICY), Step::End(Outcome::Failed, _)));
    // It waits for another attempt, and is in the MFS.
    run.decision.attempt = 2;
    assert!(matches!(step(&run, &cancelled, POLICY), Step::Stop(Outcome::Failed, _)));
}

#[test]
fn what_becomes_of_nodes() {
    use Fate::{GivenBack, Kept, LeftOff};

    let (good, skipped) = (ended(Outcome::Done, true), ended(Outcome::Skipped, false));
    let bad = ended(Outcome::TimedOut, true);
    let at_work = run(RunState::Working);
    let of = |kind, fail, run, all: &[&Run]| fate(kind, fail, false, run, all);
    assert_eq!(of(Kind::Swapout, false, &good, &[&good, &at_work]), None);
    assert_eq!(of(Kind::Swapout, false, &good, &[&good, &bad]), Some(GivenBack));
    assert_eq!(of(Kind::Swapout, true, &good, &[&good, &bad]), Some(Kept));
    assert_eq!(of(Kind::Swapout, true, &good, &[&good, &skipped]), Some(GivenBack));
    assert_eq!(of(Kind::Swapin, true, &good, &[&good, &bad]), Some(GivenBack));
    assert_eq!(of(Kind::Swapin, true, &good, &[&good]), Some(Kept));
    assert_eq!(of(Kind::Load, true, &bad, &[&bad]), Some(LeftOff));
    assert_eq!(of(Kind::Capture, true, &bad, &[&bad]), Some(Kept));
    // A node that was never touched is turned off before somebody else gets it.
    assert_eq!(wanted(&skipped, Some(GivenBack)), Some(Action::TurnOff));
    assert_eq!(wanted(&good, Some(GivenBack)), Some(Action::GiveBack));
    assert_eq!(wanted(&skipped, Some(Kept)), None);
    assert_eq!(wanted(&good, Some(Kept)), Some(Action::BootDisk));
    // At a swapin, one that needs no image has to be turned on.
    let fresh = Run { kind: Kind::Swapin, ..skipped.clone() };
    assert_eq!(wanted(&fresh, Some(Kept)), Some(Action::BootDisk));
}

fn any_run() -> impl Strategy<Value = Run> {
    let states = [
        RunState::Requested,
        RunState::Booting,
        RunState::InMfs,
        RunState::Working,
        RunState::Verifying,
        RunState::Stopping,
        RunState::Ended,
        RunState::Released,
    ];
    let outcomes = [Outcome::Done, Outcome::Skipped, Outcome::Failed, Outcome::TimedOut];
    let time = || proptest::option::of(0..2000_i64);
    let said = prop_oneof![
        Just(None),
        Just(Some("0".to_owned())),
        Just(Some("7".to_owned())),
        "\\PC{0,4}".prop_map(Some)
    ];
    (0..8_usize, proptest::option::of(0..4_usize), time(), time(), time(), time(), 1..5_u32, said)
        .prop_map(
            move |(state, outcome, power_at, off_at, up_at, failed_at, attempt, startstatus)| {
                let mut run = run(states[state]);
                run.decision.outcome = outcome.map(|index| outcomes[index]);
                run.decision.attempt = attempt;
                (run.decision.power_at, run.decision.off_at) = (power_at, off_at);
                run.signs = Signs { up_at, failed_at, startstatus, ..Signs::default() };
                run
            },
        )
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let actions =
        [Action::BootMfs, Action::Check, Action::TurnOff, Action::GiveBack, Action::BootDisk];
    let acted = proptest::option::of((0..5_usize, proptest::option::of(any::<bool>())));
    (0..4000_i64, any::<bool>(), any::<bool>(), acted).prop_map(
        move |(now, turn, cancelled, acted)| {
            let acted = acted.map(|(action, error)| {
                let error = error.map(|is_final| ActionError { why: "x".to_owned(), is_final });
                (actions[action], error.map_or(Ok(()), Err))
            });
            Seen { now, turn, cancelled, acted, ..Seen::default() }
        },
    )
}

proptest! {
    /// Whatever is seen in whatever order: "done" needs the node's word and boss' own look, and a
    /// run that was begun ends only with the node confirmed off.
    #[test]
    fn never_done_without_a_check_and_never_over_while_on(run in any_run(), seen in any_seen()) {
        match step(&run, &seen, POLICY) {
            Step::Stop(outcome, _) => {
                let checked = matches!(seen.acted, Some((Action::Check, Ok(()))));
                prop_assert!(outcome != Outcome::Done || checked);
                let again = run.decision.attempt > 1 && run.decision.state == RunState::Requested;
                prop_assert!(run.decision.state.wants_mfs() || again);
            }
            Step::End(outcome, _) => {
                prop_assert_eq!(run.decision.state, RunState::Requested);
                prop_assert_eq!(run.decision.attempt, 1, "it was touched, and may be at work");
                prop_assert!(outcome != Outcome::Done);
            }
            Step::Enter(RunState::Ended) => {
                prop_assert_eq!(run.decision.state, RunState::Stopping);
                prop_assert!(matches!(seen.acted, Some((Action::TurnOff, Ok(())))));
            }
            Step::Enter(RunState::Released) => prop_assert_eq!(run.decision.state, RunState::Ended),
            Step::Again(_) => prop_assert!(run.decision.attempt < POLICY.attempts),
            Step::Stay | Step::Enter(_) => {}
        }
        if wanted(&run, Some(Fate::GivenBack)) == Some(Action::GiveBack) {
            prop_assert!(run.decision.off_at.is_some());
        }
    }
}
