//! The integration tests, in one binary so that they link once.

#[cfg(test)]
mod bus_contract;
#[cfg(test)]
mod bus_redis_faults;
#[cfg(test)]
mod support;
