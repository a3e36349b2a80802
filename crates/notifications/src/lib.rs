//! Notifications: messages sent to configured targets when something happens.
//!
//! Any component reports a [`SystemEvent`](greenroom_origin::system_event::SystemEvent) ([`Notifier::notify`]): the
//! circuit breaker, a library index, a rejected configured token, the disk tier. Reporting never waits. Each target has its own task and bounded queue, so that a
//! hanging target delays no other. [`digest`] decides, purely, which events are sent when and grouped how; [`message`]
//! writes the text, [`template`] the format of a service, [`signature`] signs it, and [`delivery`] decides about
//! retries.
//!
//! A message holds server names, library ids and our own text: no title, no path, no token. The target's URL is a
//! secret too (some services take the token in the path), so only the target's name is ever shown.

pub mod delivery;
pub mod digest;
pub mod message;
mod notifier;
pub mod signature;
pub mod template;
#[cfg(test)]
mod tests;

pub use delivery::DeliveryError;
pub use notifier::{NotificationStats, Notifier};
