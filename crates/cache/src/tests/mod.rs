//! Tests of the whole engine in paused time. Each module tests one promise; all use the fixture.

mod ahead;
mod confirmation;
mod diagnosis;
mod failures;
mod figures;
mod fixture;
mod flights;
mod histories;
mod invalidation;
mod limits;
mod naive;
mod reads;
mod refresh;
mod regressions;
mod set_back;
mod shared;
mod suspended;
mod variants;
mod warming;
