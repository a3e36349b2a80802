//! Tests of the whole engine in paused time. Each room tests what one promise says; all speak through the stage.

mod reads;
mod stage;
