//! Frames: their envelope, and what clients say in them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jellyfin::ident::digest;

/// A frame with a type and, where there is something to say, data.
pub(super) fn written(kind: &str, number: u64, seed: u64, data: Option<Value>) -> String {
    let mut frame = json!({"MessageType": kind, "MessageId": digest(&[seed, number])});
    if let Some(data) = data {
        frame["Data"] = data;
    }
    frame.to_string()
}

/// What a client can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Who plays what.
    Sessions,
    /// Scheduled tasks.
    Tasks,
    /// The journal.
    Journal,
}

impl Topic {
    /// All of them.
    pub(super) const EVERY: [Self; 3] = [Self::Sessions, Self::Tasks, Self::Journal];

    /// The type of its frames, which is also how its subscription begins.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sessions => "Sessions",
            Self::Tasks => "ScheduledTasksInfo",
            Self::Journal => "ActivityLogEntry",
        }
    }
}

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// That it is still there.
    KeepAlive,
    /// That it wants to hear about something, first after one time, then every other.
    Start(Topic, Duration, Duration),
    /// That it has heard enough of it.
    Stop(Topic),
}

/// Reads what a client says; anything else is nothing.
pub(super) fn read(text: &str) -> Option<Said> {
    let frame: Value = serde_json::from_str(text).ok()?;
    let kind = frame["MessageType"].as_str()?;
    if kind == "KeepAlive" {
        return Some(Said::KeepAlive);
    }
    let topic = Topic::EVERY.into_iter().find(|topic| kind.starts_with(topic.name()))?;
    match &kind[topic.name().len()..] {
        "Start" => {
            let (first, then) = times(frame["Data"].as_str().unwrap_or_default());
            Some(Said::Start(topic, first, then))
        }
        "Stop" => Some(Said::Stop(topic)),
        _ => None,
    }
}

/// `"0,1500"`: milliseconds until the first frame and between the others, neither shorter than a tenth of a second
/// apart.
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
        assert_eq!(said, Some(Said::Start(Topic::Sessions, Duration::ZERO, Duration::from_millis(1_500))));
        assert_eq!(read(r#"{"MessageType":"ScheduledTasksInfoStop"}"#), Some(Said::Stop(Topic::Tasks)));
        assert_eq!(read(r#"{"MessageType":"KeepAlive"}"#), Some(Said::KeepAlive));
    }

    #[test]
    fn what_is_not_understood_is_nothing() {
        for text in ["", "[]", "{}", r#"{"MessageType":"Sessions"}"#, r#"{"MessageType":7}"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
