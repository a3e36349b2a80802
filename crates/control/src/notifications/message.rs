//! The text of a notification: a title for a lock screen, a body, and its urgency.

use serde::Serialize;

use crate::notifications::digest::{Digest, DigestLine};
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
        let Digest { lines, omitted: more } = digest;
        let mut said: Vec<String> = lines.iter().map(text_of).collect();
        if more > 0 {
            said.push(if more == 1 { "1 more.".to_owned() } else { format!("{more} more.") });
        }
        let urgency = |line: &DigestLine| line.fact.notification().map_or(Urgency::Notice, Urgency::from_event);
        let urgency = lines.iter().map(urgency).max().unwrap_or(Urgency::Notice);
        Self { title: title_of(&lines, more), text: said.join("\n"), urgency, lines, omitted: more }
    }

    /// A test message.
    pub fn test() -> Self {
        Self {
            title: "Greenroom: a test".into(),
            text: "Notices of Greenroom come through to here.".into(),
            urgency: Urgency::Good,
            lines: Vec::new(),
            omitted: 0,
        }
    }
}

fn title_of(lines: &[DigestLine], more: u64) -> String {
    let are_all = |event: NotificationEvent| lines.iter().all(|line| line.fact.notification() == Some(event));
    match lines {
        [one] => short(one),
        several if more == 0 && are_all(NotificationEvent::ServerDown) => {
            format!("{} servers are down", several.len())
        }
        several if more == 0 && are_all(NotificationEvent::ServerUp) => {
            format!("{} servers are back", several.len())
        }
        several => format!("Greenroom: {} things happened", several.len() as u64 + more),
    }
}

fn short(line: &DigestLine) -> String {
    if line.is_flapping {
        return match &line.fact {
            SystemEvent::ServerDown { server } | SystemEvent::ServerUp { server, .. } => {
                format!("{server} goes down again and again")
            }
            fact => match fact.library().or(fact.server()) {
                Some(name) => format!("{name} is unsteady"),
                None => "The disk is unsteady".into(),
            },
        };
    }
    match &line.fact {
        SystemEvent::ServerDown { server } => format!("{server} is down"),
        SystemEvent::ServerUp { server, after_ms } => format!("{server} is back after {}", span(*after_ms)),
        SystemEvent::BuildFailed { library, .. } => format!("{library} could not be indexed"),
        SystemEvent::BuildDone { library } => format!("{library} is indexed"),
        SystemEvent::LibraryShrank { library, .. } => format!("{library} has lost most of its items"),
        SystemEvent::TokenRejected { server } => format!("{server} rejects the configured token"),
        SystemEvent::TokenAccepted { server } => format!("{server} accepts the configured token"),
        SystemEvent::DiskOff { reason } => format!("The disk is off: {reason}"),
        SystemEvent::DiskBack => "The disk is back".into(),
    }
}

fn text_of(line: &DigestLine) -> String {
    let short = short(line);
    if line.is_flapping {
        return format!("{short}. Nothing more is told of it until it has kept still for five minutes.");
    }
    match &line.fact {
        SystemEvent::ServerDown { .. } => format!("{short}. Apps are answered from what is kept."),
        SystemEvent::BuildFailed { reason, .. } => {
            format!("{short}: {reason}. What was kept before is kept on.")
        }
        SystemEvent::LibraryShrank { was, came, is_believed: false, .. } => {
            format!("{short}: it shows {came} where {was} are kept. That is not believed yet.")
        }
        SystemEvent::LibraryShrank { was, came, is_believed: true, .. } => {
            format!("{short}: it had {was} and has {came} now.")
        }
        SystemEvent::TokenRejected { .. } => format!("{short}. Get a new one with: greenroom login."),
        SystemEvent::DiskOff { .. } => format!("{short}. Answers go on from memory and the server."),
        _ => format!("{short}."),
    }
}

/// A duration in words.
fn span(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
