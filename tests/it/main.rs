//! Everything that is tested from outside, in one binary.

#[cfg(test)]
mod store_contract;
#[cfg(test)]
mod store_embedded;
