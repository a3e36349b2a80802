//! Message formats of the supported services. Field names are theirs.

use bytes::Bytes;
use greenroom_cache::Timestamp;
use greenroom_dialect::credential::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::json;

use super::message::{NotificationMessage, Urgency};
use crate::digest::DigestLine;
pub use greenroom_config::{NotificationEvent, NotificationTemplate};

/// An HTTP request: headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpMessage {
    /// Additional to those of every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// One event, for programs.
#[derive(Serialize)]
struct EventPayload<'a> {
    event: NotificationEvent,
    at_ms: u64,
    server: Option<&'a str>,
    library: Option<&'a str>,
    unsteady: bool,
}

/// Renders a message in this format.
pub fn render(
    template: NotificationTemplate,
    message: &NotificationMessage,
    now_ms: Timestamp,
    token: Option<&Secret>,
) -> HttpMessage {
    let mut rendered = match template {
        NotificationTemplate::Ntfy => ntfy(message),
        NotificationTemplate::Gotify => json_message(&gotify(message)),
        NotificationTemplate::Discord => json_message(&discord(message)),
        NotificationTemplate::Apprise => json_message(&apprise(message)),
        NotificationTemplate::Json => json_message(&json_payload(message, now_ms)),
    };
    if let Some((name, value)) = token.and_then(|token| auth_header(template, token)) {
        rendered.headers.push((name, value));
    }
    rendered
}

/// The header that carries the token.
fn auth_header(template: NotificationTemplate, token: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let (name, text) = match template {
        NotificationTemplate::Gotify => (HeaderName::from_static("x-gotify-key"), token.expose().to_owned()),
        _ => (AUTHORIZATION, format!("Bearer {}", token.expose())),
    };
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

fn json_message(body: &serde_json::Value) -> HttpMessage {
    let headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    HttpMessage { headers, body: Bytes::from(body.to_string()) }
}

fn ntfy(message: &NotificationMessage) -> HttpMessage {
    let (priority, tags) = match message.urgency {
        Urgency::Good => ("default", "white_check_mark"),
        Urgency::Notice => ("default", "warning"),
        Urgency::Urgent => ("high", "rotating_light"),
    };
    // Titles consist of names that the configuration allows and of our own words: they are ASCII.
    let title = HeaderValue::try_from(message.title.as_str());
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (HeaderName::from_static("title"), title.unwrap_or(HeaderValue::from_static("Greenroom"))),
        (HeaderName::from_static("priority"), HeaderValue::from_static(priority)),
        (HeaderName::from_static("tags"), HeaderValue::from_static(tags)),
    ];
    HttpMessage { headers, body: Bytes::from(message.text.clone()) }
}

fn gotify(message: &NotificationMessage) -> serde_json::Value {
    let priority = match message.urgency {
        Urgency::Good => 2,
        Urgency::Notice => 5,
        Urgency::Urgent => 8,
    };
    json!({"title": message.title, "message": message.text, "priority": priority})
}

fn discord(message: &NotificationMessage) -> serde_json::Value {
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

fn apprise(message: &NotificationMessage) -> serde_json::Value {
    let kind = match message.urgency {
        Urgency::Good => "success",
        Urgency::Notice => "warning",
        Urgency::Urgent => "failure",
    };
    json!({"title": message.title, "body": message.text, "type": kind, "format": "text"})
}

fn json_payload(message: &NotificationMessage, now_ms: Timestamp) -> serde_json::Value {
    let event_payload = |line: &DigestLine| {
        Some(serde_json::to_value(EventPayload {
            event: line.event.notification()?,
            at_ms: line.at_ms.as_millis(),
            server: line.event.server(),
            library: line.event.library(),
            unsteady: line.is_flapping,
        }))
    };
    let events: Vec<_> = message.lines.iter().filter_map(event_payload).filter_map(Result::ok).collect();
    json!({
        "version": 1,
        "sent_ms": now_ms.as_millis(),
        "title": message.title,
        "text": message.text,
        "urgency": message.urgency,
        "events": events,
        "more": message.omitted,
    })
}
