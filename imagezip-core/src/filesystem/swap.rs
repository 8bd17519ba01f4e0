//! Linux swap space.
