//! tmcd, the service of boss that tells a node who it is and takes note of how it does.
//!
//! A request is one line of ASCII on a TCP connection of its own, the reply is whatever comes
//! until boss closes it; who asks is known by the address that it asks from, and by the key
//! of its run if boss gave it one (`mfs.key=`). There is no status: an action is answered with
//! nothing, and so is whatever went wrong. [`Client`] finds boss and
//! asks, [`Boss`] has the commands, [`reporter`] tells boss how the run ended.
//!
//! Nothing that boss says is believed before it is checked: names follow their grammar, paths
//! lead where they should, numbers are some, lists have an end.

pub mod accounts;
mod client;
mod commands;
mod key;
pub mod login;
pub mod mounts;
mod reply;
pub mod reporter;
mod request;
pub mod startup;
pub mod status;
mod transport;
mod words;

pub use client::{Client, PORTS, Resolver};
pub use commands::Boss;
pub use key::{Key, KeyFault};
pub use reply::Answer;
pub use request::{Request, State, VERSION};
pub use transport::{Fault, Limits};
