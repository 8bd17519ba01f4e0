//! Link arguments of the freestanding program.
//!
//! They are here and not in a `config.toml` so that they reach this one binary and nothing else.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=agent.ld");
    println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{}/agent.ld", env!("CARGO_MANIFEST_DIR"));
    // rustc passes -pie before these; the later -no-pie wins.
    for argument in ["-nostdlib", "-nostartfiles", "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
