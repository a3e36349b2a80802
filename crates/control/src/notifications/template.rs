//! The forms in which services take a message. Field names are theirs.

use bytes::Bytes;
use greenroom_dialect::credential::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::json;

use super::message::{Message, Urgency};
use crate::notifications::digest::Line;
pub use greenroom_config::{Event, Template};

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

/// Writes a message in this form.
pub fn write(template: Template, message: &Message, now_ms: u64, token: Option<&Secret>) -> Letter {
    let mut letter = match template {
        Template::Ntfy => ntfy(message),
        Template::Gotify => of_json(&gotify(message)),
        Template::Discord => of_json(&discord(message)),
        Template::Apprise => of_json(&apprise(message)),
        Template::Json => of_json(&own(message, now_ms)),
    };
    if let Some((name, value)) = token.and_then(|token| proof(template, token)) {
        letter.headers.push((name, value));
    }
    letter
}

/// The header that shows the token.
fn proof(template: Template, token: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let (name, said) = match template {
        Template::Gotify => (HeaderName::from_static("x-gotify-key"), token.expose().to_owned()),
        _ => (AUTHORIZATION, format!("Bearer {}", token.expose())),
    };
    let mut value = HeaderValue::try_from(said).ok()?;
    value.set_sensitive(true);
    Some((name, value))
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
