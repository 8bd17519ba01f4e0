//! What comes next in a run.
