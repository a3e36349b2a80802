//! The forms in which services take a message. Field names are theirs.

use bytes::Bytes;
use greenroom_upstream::credential::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::json;

use super::fact::Event;
use super::grouping::Line;
use super::message::{Message, Urgency};

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// The text as the body, the rest as headers, to the address of a topic.
    Ntfy,
    /// JSON to `/message`, the token in `X-Gotify-Key`.
    Gotify,
    /// JSON to the address of a webhook, which holds its token.
    Discord,
    /// JSON to `/notify/KEY` of an Apprise API.
    Apprise,
    /// Everything that is known, as JSON of our own.
    Json,
}

/// What is sent: headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Beside those of every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// One thing that happened, as programs read it.
#[derive(Serialize)]
struct Happened<'a> {
    event: Event,
    at_ms: u64,
    server: Option<&'a str>,
    library: Option<&'a str>,
    unsteady: bool,
}

impl Template {
    /// Every one of them.
    pub const EVERY: [Self; 5] = [Self::Ntfy, Self::Gotify, Self::Discord, Self::Apprise, Self::Json];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ntfy => "ntfy",
            Self::Gotify => "gotify",
            Self::Discord => "discord",
            Self::Apprise => "apprise",
            Self::Json => "json",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|template| template.word() == word)
    }

    /// Writes a message in this form.
    pub fn write(self, message: &Message, now_ms: u64, token: Option<&Secret>) -> Letter {
        let mut letter = match self {
            Self::Ntfy => ntfy(message),
            Self::Gotify => of_json(&gotify(message)),
            Self::Discord => of_json(&discord(message)),
            Self::Apprise => of_json(&apprise(message)),
            Self::Json => of_json(&own(message, now_ms)),
        };
        if let Some((name, value)) = token.and_then(|token| self.proof(token)) {
            letter.headers.push((name, value));
        }
        letter
    }

    /// The header that shows the token.
    fn proof(self, token: &Secret) -> Option<(HeaderName, HeaderValue)> {
        let (name, said) = match self {
            Self::Gotify => (HeaderName::from_static("x-gotify-key"), token.expose().to_owned()),
            _ => (AUTHORIZATION, format!("Bearer {}", token.expose())),
        };
        let mut value = HeaderValue::try_from(said).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }
}

fn of_json(body: &serde_json::Value) -> Letter {
    let headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Letter { headers, body: Bytes::from(body.to_string()) }
}

fn ntfy(message: &Message) -> Letter {
    let (priority, tags) = match message.urgency {
        Urgency::Good => ("default", "white_check_mark"),
        Urgency::Notice => ("default", "warning"),
        Urgency::Urgent => ("high", "rotating_light"),
    };
    // Titles are made of names that the configuration allows and of our own words: they are ASCII.
    let title = HeaderValue::try_from(message.title.as_str());
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (HeaderName::from_static("title"), title.unwrap_or(HeaderValue::from_static("Greenroom"))),
        (HeaderName::from_static("priority"), HeaderValue::from_static(priority)),
        (HeaderName::from_static("tags"), HeaderValue::from_static(tags)),
    ];
    Letter { headers, body: Bytes::from(message.text.clone()) }
}

fn gotify(message: &Message) -> serde_json::Value {
    let priority = match message.urgency {
        Urgency::Good => 2,
        Urgency::Notice => 5,
        Urgency::Urgent => 8,
    };
    json!({"title": message.title, "message": message.text, "priority": priority})
}

fn discord(message: &Message) -> serde_json::Value {
    let colour = match message.urgency {
        Urgency::Good => 0x2e_9e_5b,
        Urgency::Notice => 0xd9_9a_1c,
        Urgency::Urgent => 0xc9_36_2c,
    };
    json!({
        "username": "Greenroom",
        "embeds": [{"title": message.title, "description": message.text, "color": colour}],
        "allowed_mentions": {"parse": []},
    })
}

fn apprise(message: &Message) -> serde_json::Value {
    let kind = match message.urgency {
        Urgency::Good => "success",
        Urgency::Notice => "warning",
        Urgency::Urgent => "failure",
    };
    json!({"title": message.title, "body": message.text, "type": kind, "format": "text"})
}

fn own(message: &Message, now_ms: u64) -> serde_json::Value {
    let happened = |line: &Line| {
        Some(serde_json::to_value(Happened {
            event: line.fact.event()?,
            at_ms: line.at_ms,
            server: line.fact.server(),
            library: line.fact.library(),
            unsteady: line.is_unsteady,
        }))
    };
    let events: Vec<_> = message.lines.iter().filter_map(happened).filter_map(Result::ok).collect();
    json!({
        "version": 1,
        "sent_ms": now_ms,
        "title": message.title,
        "text": message.text,
        "urgency": message.urgency,
        "events": events,
        "more": message.more,
    })
}
