//! The integration tests, in one binary so that they link once.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod bus_contract;
#[cfg(test)]
mod bus_redis_faults;
#[cfg(test)]
mod check_command;
#[cfg(test)]
mod classic_contract;
#[cfg(test)]
mod classic_page;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod exact;
#[cfg(test)]
mod frontend;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod import;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod native_door;
#[cfg(test)]
mod old_envelopes;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod page;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod presence_contract;
#[cfg(test)]
mod presence_measure;
#[cfg(test)]
mod presence_redis_faults;
#[cfg(test)]
mod promises_measure;
#[cfg(test)]
mod protocol_doc;
#[cfg(test)]
mod readiness;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod repairs;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod rolling;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod store_contract;
#[cfg(test)]
mod store_embedded;
#[cfg(test)]
mod store_mongo;
#[cfg(test)]
mod support;
#[cfg(test)]
mod team;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod trail;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod typing;
#[cfg(test)]
mod upkeep;
