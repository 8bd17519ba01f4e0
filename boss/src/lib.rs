//! The control server: it knows images, signatures and experiments, has nodes save and load their
//! disks, and watches them.

pub mod access;
pub mod api;
pub mod boot;
pub mod cli;
pub mod config;
pub mod db;
pub mod doctor;
pub mod error;
pub mod experiment;
pub mod files;
pub mod http;
pub mod image;
pub mod jobs;
pub mod layout;
pub mod machines;
pub mod metrics;
pub mod names;
pub mod password;
pub mod people;
pub mod power;
pub mod saved_disk;
pub mod server;
pub mod sitevar;
pub mod swap;
pub mod swapinfo;
pub mod tmcd;
pub mod view;
pub mod web;
