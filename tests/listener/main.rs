//! The listener against raw sockets: what hostile, broken and slow clients send, byte by byte.

#[cfg(test)]
mod exhaustion;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod http;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod support;
#[cfg(test)]
mod weight;
