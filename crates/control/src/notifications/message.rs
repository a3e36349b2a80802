//! What is told, in words: a title for a lock screen, a text, and how urgent it is.

use serde::Serialize;

use crate::notifications::digest::{Digest, Line};
use greenroom_config::Event;
use greenroom_origin::fact::Fact;

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// It is well again, or nobody has to do anything.
    Good,
    /// It is to be known.
    Notice,
    /// Somebody should look.
    Urgent,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// In a few words.
    pub title: String,
    /// A line for each thing.
    pub text: String,
    /// The most urgent of them.
    pub urgency: Urgency,
    /// What happened, for programs.
    pub lines: Vec<Line>,
    /// Facts beyond these.
    pub more: u64,
}

impl Urgency {
    fn of(event: Event) -> Self {
        match event {
            Event::ServerUp | Event::DiskBack => Self::Good,
            Event::BuildFailed | Event::DiskOff => Self::Notice,
            Event::ServerDown | Event::LibraryShrank | Event::TokenRejected => Self::Urgent,
        }
    }
}

impl Message {
    /// Says this.
    pub fn of(digest: Digest) -> Self {
        let Digest { lines, more } = digest;
        let mut said: Vec<String> = lines.iter().map(text_of).collect();
        if more > 0 {
            said.push(if more == 1 { "1 more.".to_owned() } else { format!("{more} more.") });
        }
        let urgency = |line: &Line| line.fact.event().map_or(Urgency::Notice, Urgency::of);
        let urgency = lines.iter().map(urgency).max().unwrap_or(Urgency::Notice);
        Self { title: title_of(&lines, more), text: said.join("\n"), urgency, lines, more }
    }

    /// For trying out whether messages come through.
    pub fn test() -> Self {
        Self {
            title: "Greenroom: a test".into(),
            text: "Notices of Greenroom come through to here.".into(),
            urgency: Urgency::Good,
            lines: Vec::new(),
            more: 0,
        }
    }
}

fn title_of(lines: &[Line], more: u64) -> String {
    let are_all = |event: Event| lines.iter().all(|line| line.fact.event() == Some(event));
    match lines {
        [one] => short(one),
        several if more == 0 && are_all(Event::ServerDown) => format!("{} servers are down", several.len()),
        several if more == 0 && are_all(Event::ServerUp) => format!("{} servers are back", several.len()),
        several => format!("Greenroom: {} things happened", several.len() as u64 + more),
    }
}

fn short(line: &Line) -> String {
    if line.is_unsteady {
        return match &line.fact {
            Fact::ServerDown { server } | Fact::ServerUp { server, .. } => {
                format!("{server} goes down again and again")
            }
            fact => match fact.library().or(fact.server()) {
                Some(name) => format!("{name} is unsteady"),
                None => "The disk is unsteady".into(),
            },
        };
    }
    match &line.fact {
        Fact::ServerDown { server } => format!("{server} is down"),
        Fact::ServerUp { server, after_ms } => format!("{server} is back after {}", span(*after_ms)),
        Fact::BuildFailed { library, .. } => format!("{library} could not be indexed"),
        Fact::BuildDone { library } => format!("{library} is indexed"),
        Fact::LibraryShrank { library, .. } => format!("{library} has lost most of its items"),
        Fact::TokenRejected { server } => format!("{server} rejects the configured token"),
        Fact::TokenAccepted { server } => format!("{server} accepts the configured token"),
        Fact::DiskOff { reason } => format!("The disk is off: {reason}"),
        Fact::DiskBack => "The disk is back".into(),
    }
}

fn text_of(line: &Line) -> String {
    let short = short(line);
    if line.is_unsteady {
        return format!("{short}. Nothing more is told of it until it has kept still for five minutes.");
    }
    match &line.fact {
        Fact::ServerDown { .. } => format!("{short}. Apps are answered from what is kept."),
        Fact::BuildFailed { reason, .. } => format!("{short}: {reason}. What was kept before is kept on."),
        Fact::LibraryShrank { was, came, is_believed: false, .. } => {
            format!("{short}: it shows {came} where {was} are kept. That is not believed yet.")
        }
        Fact::LibraryShrank { was, came, is_believed: true, .. } => {
            format!("{short}: it had {was} and has {came} now.")
        }
        Fact::TokenRejected { .. } => format!("{short}. Get a new one with: greenroom login."),
        Fact::DiskOff { .. } => format!("{short}. Answers go on from memory and the server."),
        _ => format!("{short}."),
    }
}

/// A span of time as people say it.
fn span(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
