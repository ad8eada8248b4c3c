//! (to be written)

pub mod rest;
