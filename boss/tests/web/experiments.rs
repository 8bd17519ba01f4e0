//! Experiments: their list, making and changing them, and what can be done with them.

mod actions;
mod edit;
mod list;
mod new;
mod show;
