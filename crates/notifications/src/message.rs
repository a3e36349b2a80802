//! The text of a notification: a title for a lock screen, a body, and its urgency.

use greenroom_cache::clock::millis;
use serde::Serialize;

use crate::digest::{Digest, DigestLine};
use greenroom_config::NotificationEvent;
use greenroom_origin::system_event::SystemEvent;

/// Urgency of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Recovered, or no action needed.
    Good,
    /// For information.
    Notice,
    /// Needs attention.
    Urgent,
}

/// One notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationMessage {
    /// Short title.
    pub title: String,
    /// One line per event.
    pub text: String,
    /// The highest urgency among the events.
    pub urgency: Urgency,
    /// The events, for programs.
    pub lines: Vec<DigestLine>,
    /// Number of further events.
    pub omitted: u64,
}

impl Urgency {
    fn from_event(event: NotificationEvent) -> Self {
        match event {
            NotificationEvent::ServerUp | NotificationEvent::DiskBack => Self::Good,
            NotificationEvent::BuildFailed | NotificationEvent::DiskOff => Self::Notice,
            NotificationEvent::ServerDown | NotificationEvent::LibraryShrank | NotificationEvent::TokenRejected => {
                Self::Urgent
            }
        }
    }
}

impl NotificationMessage {
    /// Builds the message of a digest.
    pub fn from_digest(digest: Digest) -> Self {
        let Digest { lines, omitted } = digest;
        let mut lines_text: Vec<String> = lines.iter().map(text_of).collect();
        if omitted > 0 {
            lines_text.push(if omitted == 1 { "1 more.".to_owned() } else { format!("{omitted} more.") });
        }
        let urgency = |line: &DigestLine| line.event.notification().map_or(Urgency::Notice, Urgency::from_event);
        let urgency = lines.iter().map(urgency).max().unwrap_or(Urgency::Notice);
        Self { title: title_of(&lines, omitted), text: lines_text.join("\n"), urgency, lines, omitted }
    }

    /// A test message.
    pub fn test() -> Self {
        Self {
            title: "Greenroom: a test".into(),
            text: "Greenroom notifications arrive here.".into(),
            urgency: Urgency::Good,
            lines: Vec::new(),
            omitted: 0,
        }
    }
}

fn title_of(lines: &[DigestLine], omitted: u64) -> String {
    let all_are = |event: NotificationEvent| lines.iter().all(|line| line.event.notification() == Some(event));
    match lines {
        [line] => summary(line),
        lines if omitted == 0 && all_are(NotificationEvent::ServerDown) => {
            format!("{} servers are down", lines.len())
        }
        lines if omitted == 0 && all_are(NotificationEvent::ServerUp) => {
            format!("{} servers are back", lines.len())
        }
        lines => format!("Greenroom: {} events", lines.len() as u64 + omitted),
    }
}

fn summary(line: &DigestLine) -> String {
    if line.is_flapping {
        return match &line.event {
            SystemEvent::ServerDown { server } | SystemEvent::ServerUp { server, .. } => {
                format!("{server} goes down repeatedly")
            }
            event => match event.library().or(event.server()) {
                Some(name) => format!("{name} is flapping"),
                None => "The disk is flapping".into(),
            },
        };
    }
    match &line.event {
        SystemEvent::ServerDown { server } => format!("{server} is down"),
        SystemEvent::ServerUp { server, after_ms } => {
            format!("{server} is back after {}", duration_text(millis(*after_ms)))
        }
        SystemEvent::BuildFailed { library, .. } => format!("{library} could not be indexed"),
        SystemEvent::BuildDone { library } => format!("{library} is indexed"),
        SystemEvent::LibraryShrank { library, .. } => format!("{library} has lost most of its items"),
        SystemEvent::TokenRejected { server } => format!("{server} rejects the configured token"),
        SystemEvent::TokenAccepted { server } => format!("{server} accepts the configured token"),
        SystemEvent::DiskOff { reason } => format!("The disk tier is disabled: {reason}"),
        SystemEvent::DiskBack => "The disk tier is back".into(),
    }
}

fn text_of(line: &DigestLine) -> String {
    let summary = summary(line);
    if line.is_flapping {
        return format!("{summary}. Further events are suppressed until it has been stable for five minutes.");
    }
    match &line.event {
        SystemEvent::ServerDown { .. } => format!("{summary}. Apps are answered from the cache."),
        SystemEvent::BuildFailed { reason, .. } => {
            format!("{summary}: {reason}. The previous index stays.")
        }
        SystemEvent::LibraryShrank { was, came, is_believed: false, .. } => {
            format!("{summary}: it lists {came} items instead of {was}. This is accepted only once it is confirmed.")
        }
        SystemEvent::LibraryShrank { was, came, is_believed: true, .. } => {
            format!("{summary}: {was} items before, {came} now.")
        }
        SystemEvent::TokenRejected { .. } => format!("{summary}. Get a new one with: greenroom login."),
        SystemEvent::DiskOff { .. } => format!("{summary}. Requests are answered from memory and the server."),
        _ => format!("{summary}."),
    }
}

/// A duration in words.
fn duration_text(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
