//! Frames: their envelope, and messages of clients.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jellyfin::ident::digest;

/// A frame with a type and optional data.
pub(super) fn written(kind: &str, number: u64, seed: u64, data: Option<Value>) -> String {
    let mut frame = json!({"MessageType": kind, "MessageId": digest(&[seed, number])});
    if let Some(data) = data {
        frame["Data"] = data;
    }
    frame.to_string()
}

/// Topic of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Sessions.
    Sessions,
    /// Scheduled tasks.
    Tasks,
    /// Activity log.
    Journal,
}

impl Topic {
    pub(super) const EVERY: [Self; 3] = [Self::Sessions, Self::Tasks, Self::Journal];

    /// Type of its frames, and prefix of its subscription message.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sessions => "Sessions",
            Self::Tasks => "ScheduledTasksInfo",
            Self::Journal => "ActivityLogEntry",
        }
    }
}

/// Message of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientMessage {
    /// Keep-alive.
    KeepAlive,
    /// Subscribes to a topic: delay of the first frame, interval of the others.
    Start(Topic, Duration, Duration),
    /// Unsubscribes from a topic.
    Stop(Topic),
}

/// Parses a message; `None` if it is unknown.
pub(super) fn read(text: &str) -> Option<ClientMessage> {
    let frame: Value = serde_json::from_str(text).ok()?;
    let kind = frame["MessageType"].as_str()?;
    if kind == "KeepAlive" {
        return Some(ClientMessage::KeepAlive);
    }
    let topic = Topic::EVERY.into_iter().find(|topic| kind.starts_with(topic.name()))?;
    match &kind[topic.name().len()..] {
        "Start" => {
            let (first, then) = times(frame["Data"].as_str().unwrap_or_default());
            Some(ClientMessage::Start(topic, first, then))
        }
        "Stop" => Some(ClientMessage::Stop(topic)),
        _ => None,
    }
}

/// `"0,1500"`: milliseconds until the first frame and between the others, at least 100 each.
fn times(data: &str) -> (Duration, Duration) {
    let mut parts = data.split(',').map(|part| part.trim().parse::<u64>().unwrap_or(0));
    let first = parts.next().unwrap_or(0);
    let then = parts.next().unwrap_or(1_000).max(100);
    (Duration::from_millis(first), Duration::from_millis(then))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_names_its_times_in_one_text() {
        let said = read(r#"{"MessageType":"SessionsStart","Data":"0,1500"}"#);
        assert_eq!(said, Some(ClientMessage::Start(Topic::Sessions, Duration::ZERO, Duration::from_millis(1_500))));
        assert_eq!(read(r#"{"MessageType":"ScheduledTasksInfoStop"}"#), Some(ClientMessage::Stop(Topic::Tasks)));
        assert_eq!(read(r#"{"MessageType":"KeepAlive"}"#), Some(ClientMessage::KeepAlive));
    }

    #[test]
    fn what_is_not_understood_is_nothing() {
        for text in ["", "[]", "{}", r#"{"MessageType":"Sessions"}"#, r#"{"MessageType":7}"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
