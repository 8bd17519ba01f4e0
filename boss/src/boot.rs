//! How nodes boot: the script that a node's iPXE gets over HTTP, with the words for the agent in
//! it, and the DHCP server's configuration that leads there.
//!
//! Everything here makes text of values that were checked for what that text can carry: no value
//! can add a word to a command line, or a line to a script or a configuration.

pub mod dhcp;
mod key;
mod mac;
mod script;
pub mod serve;
mod url;
mod words;

pub use key::{Digest, Key, KeyError};
pub use mac::Mac;
pub use script::{Boot, Site};
pub use url::BossUrl;
pub use words::{Export, Job, Save, Then, User, WordError, Words};
