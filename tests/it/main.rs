//! The integration tests, in one binary so that they link once.

#[cfg(test)]
mod store_contract;
#[cfg(test)]
mod store_embedded;
#[cfg(test)]
mod store_mongo;
#[cfg(test)]
mod support;
