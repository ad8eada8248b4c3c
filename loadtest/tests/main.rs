//! The load generator against real nodes: over every door, and through proxies that do damage. It must say so, and it must
//! not say so otherwise.

#[cfg(test)]
mod doors;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod support;
