//! Tests of the whole engine in paused time. Each room tests what one promise says; all speak through the stage.

mod ahead;
mod diagnosis;
mod failures;
mod figures;
mod flights;
mod histories;
mod invalidation;
mod limits;
mod naive;
mod reads;
mod refresh;
mod regressions;
mod set_back;
mod slept;
mod stage;
mod warming;
