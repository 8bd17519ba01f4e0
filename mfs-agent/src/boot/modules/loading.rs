//! Loading modules on several threads, each once and after what it needs.

use alloc::vec;
use alloc::vec::Vec;

use rustix_futex_sync::{Condvar, Mutex};

use super::index::Module;

/// How far a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has asked for it.
    Unwanted,
    /// Somebody has.
    Wanted,
    /// A thread is at it.
    Loading,
    /// The kernel has it.
    Loaded,
    /// The kernel doesn't take it. It isn't tried again.
    Failed,
}

/// The modules, and how far each is.
pub(super) struct Loading<'a> {
    modules: &'a [Module<'a>],
    states: Mutex<Vec<State>>,
    changed: Condvar,
}

/// What a thread can do.
enum Next {
    Load(usize),
    /// All that could be loaded needs what other threads are at.
    Wait,
    Nothing,
}

impl<'a> Loading<'a> {
    /// Nothing is loaded so far. Each of `modules` needs only those before it.
    pub(super) fn new(modules: &'a [Module<'a>]) -> Self {
        let states = Mutex::new(vec![State::Unwanted; modules.len()]);
        Self { modules, states, changed: Condvar::new() }
    }

    /// Asks for modules, with all that they need and bring. How many are new among `places`
    /// and these; the others have been asked for before.
    pub(super) fn want(&self, places: impl IntoIterator<Item = usize>) -> usize {
        let mut states = self.states.lock();
        let mut open: Vec<usize> = places.into_iter().collect();
        let mut new = 0_usize;
        // Each module is new once, so this ends.
        while let Some(place) = open.pop() {
            let (Some(state), Some(module)) = (states.get_mut(place), self.modules.get(place))
            else {
                continue;
            };
            if *state == State::Unwanted {
                *state = State::Wanted;
                new = new.saturating_add(1);
                open.extend(module.needs.iter().chain(&module.brings));
            }
        }
        new
    }

    /// Loads what was asked for, together with other threads that are in here; `load` tells
    /// whether it could. Returns when there is nothing left to begin with.
    pub(super) fn work(&self, load: &dyn Fn(&Module<'a>) -> bool) {
        let mut states = self.states.lock();
        loop {
            match self.next(&states) {
                Next::Nothing => return,
                Next::Wait => states = self.changed.wait(states),
                Next::Load(place) => {
                    set(&mut states, place, State::Loading);
                    drop(states);
                    let loaded = self.modules.get(place).is_some_and(load);
                    states = self.states.lock();
                    set(&mut states, place, if loaded { State::Loaded } else { State::Failed });
                    self.changed.notify_all();
                }
            }
        }
    }

    /// The first of the list that can be loaded. One that needs a module that failed is tried all
    /// the same: the kernel knows whether it can do without.
    ///
    /// Nobody waits for ever: of the modules that are wanted and not begun with, the first needs
    /// only such as come before it, which are done or with a thread that will tell.
    fn next(&self, states: &[State]) -> Next {
        let is = |place: usize, wanted: State| states.get(place) == Some(&wanted);
        let open = |place: &usize| is(*place, State::Wanted) || is(*place, State::Loading);
        let mut next = Next::Nothing;
        for (place, module) in self.modules.iter().enumerate() {
            if is(place, State::Wanted) {
                if !module.needs.iter().any(open) {
                    return Next::Load(place);
                }
                next = Next::Wait;
            }
        }
        next
    }

    /// How many modules are loaded.
    pub(super) fn loaded(&self) -> usize {
        self.states.lock().iter().filter(|state| **state == State::Loaded).count()
    }
}

fn set(states: &mut [State], place: usize, state: State) {
    if let Some(slot) = states.get_mut(place) {
        *slot = state;
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::sync::Mutex as StdMutex;
    use std::thread;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::index::{Load, Turn};
    use super::*;

    fn modules(needs: &[&[usize]]) -> Vec<Module<'static>> {
        let module = |needs: &&[usize]| Module {
            name: "",
            parameters: "",
            load: Load::ForHardware,
            turn: Turn::Middle,
            needs: needs.to_vec(),
            brings: Vec::new(),
        };
        needs.iter().map(module).collect()
    }

    fn place(modules: &[Module<'_>], module: &Module<'_>) -> usize {
        modules.iter().position(|candidate| core::ptr::eq(candidate, module)).unwrap()
    }

    #[test]
    fn what_is_needed_comes_first_and_failures_hold_up_nothing() {
        let mut modules = modules(&[&[], &[0], &[], &[1, 2], &[]]);
        modules[2].brings = std::vec![4];
        let loading = Loading::new(&modules);
        let order = StdMutex::new(String::new());
        let load = |module: &Module<'_>| {
            let place = place(&modules, module);
            order.lock().unwrap().push_str(&place.to_string());
            place != 1
        };
        loading.work(&load);
        assert_eq!(loading.want([3]), 5);
        loading.work(&load);
        assert_eq!(*order.lock().unwrap(), "01234");
        assert_eq!(loading.want([3, 4, 99]), 0);
        loading.work(&load);
        assert_eq!((loading.loaded(), order.lock().unwrap().len()), (4, 5));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn many_threads_load_each_once_and_in_order(
            needs in proptest::collection::vec(
                proptest::collection::vec(any::<prop::sample::Index>(), 0..4), 1..30
            ),
            wanted in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let needs: Vec<Vec<usize>> = needs.iter().enumerate().map(|(place, needs)| {
                needs.iter().filter(|_| place > 0).map(|need| need.index(place)).collect()
            }).collect();
            let needs: Vec<&[usize]> = needs.iter().map(Vec::as_slice).collect();
            let modules = modules(&needs);
            let loading = Loading::new(&modules);
            loading.want(wanted.iter().map(|place| place.index(modules.len())));
            let (started, done) = (StdMutex::new(Vec::new()), StdMutex::new(Vec::new()));
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| loading.work(&|module| {
                        let place = place(&modules, module);
                        started.lock().unwrap().push(place);
                        assert!(module.needs.iter().all(|n| done.lock().unwrap().contains(n)));
                        thread::sleep(Duration::from_micros(50));
                        done.lock().unwrap().push(place);
                        true
                    }));
                }
            });
            let mut started = started.into_inner().unwrap();
            let count = started.len();
            started.sort_unstable();
            started.dedup();
            prop_assert_eq!(started.len(), count);
            prop_assert_eq!(loading.loaded(), count);
            prop_assert!(wanted.iter().all(|place| started.contains(&place.index(modules.len()))));
        }
    }
}
