//! The network against a real DHCP and DNS server (dnsmasq) and the kernel, over virtual cables in
//! namespaces of their own. Needs root.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(unsafe_code, reason = "the runtime's own, which is part of what is tested")]
#[path = "../../src/runtime/packet.rs"]
mod packet;

mod dhcp;
mod lab;
mod names;
mod search;
