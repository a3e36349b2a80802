//! Notifications are sent when they are due, with time as an argument, and in the format of each service.

use super::message::{NotificationMessage, Urgency};
use super::template::{HttpMessage, NotificationTemplate};
use crate::digest::{Digest, DigestBuilder, MAX_LINES, NotificationSubscription, PERIOD, STABLE};
use greenroom_cache::Timestamp;
use greenroom_config::NotificationEvent;
use greenroom_dialect::credential::Secret;
use greenroom_origin::system_event::SystemEvent;
use serde_json::{Value, json};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(30);

fn builder(max_messages: usize) -> DigestBuilder {
    DigestBuilder::new(NotificationSubscription {
        events: NotificationEvent::EVERY.into(),
        window_ms: WINDOW,
        max_messages,
    })
}

fn down(server: &str) -> SystemEvent {
    SystemEvent::ServerDown { server: server.into() }
}

fn up(server: &str) -> SystemEvent {
    SystemEvent::ServerUp { server: server.into(), after_ms: Duration::from_millis(12_000) }
}

fn failed(library: &str) -> SystemEvent {
    SystemEvent::BuildFailed { library: library.into(), reason: "it did not complete within 180 minutes".into() }
}

fn done(library: &str) -> SystemEvent {
    SystemEvent::BuildDone { library: library.into() }
}

fn events(digest: Option<Digest>) -> Vec<SystemEvent> {
    digest.map(|digest| digest.lines.into_iter().map(|line| line.event).collect()).unwrap_or_default()
}

/// The next digest's events and its due time.
fn next(builder: &mut DigestBuilder) -> Option<(Duration, Vec<SystemEvent>)> {
    let due_ms = builder.due_ms()?;
    Some((due_ms - Timestamp::UNIX_EPOCH, events(builder.drain(due_ms))))
}

#[test]
fn events_within_the_window_are_sent_together() {
    let mut builder = builder(6);
    builder.record(down("home"), Timestamp::from_millis(1_000));
    builder.record(down("attic"), Timestamp::from_millis(20_000));
    builder.record(SystemEvent::DiskOff { reason: "full".into() }, Timestamp::from_millis(30_999));
    assert_eq!(builder.drain(Timestamp::from_millis(30_999)), None, "the window is open");
    let digest = next(&mut builder).expect("a digest");
    assert_eq!(digest.0, Duration::from_secs(31));
    assert_eq!(digest.1.len(), 3);
    assert_eq!(builder.due_ms(), None);
    builder.record(down("den"), Timestamp::from_millis(40_000));
    assert_eq!(
        next(&mut builder),
        Some((Duration::from_secs(70), vec![down("den")])),
        "the next event opens a new window"
    );
}

#[test]
fn no_state_is_reported_twice() {
    let mut builder = builder(60);
    builder.record(failed("home:3"), Timestamp::UNIX_EPOCH);
    assert_eq!(next(&mut builder), Some((WINDOW, vec![failed("home:3")])));
    for minute in 1..100 {
        builder.record(failed("home:3"), Timestamp::from_millis(minute * 60_000));
    }
    assert_eq!(builder.due_ms(), None, "still failing");
    builder.record(done("home:3"), Timestamp::from_millis(7_000_000));
    assert_eq!(builder.due_ms(), None, "success is not reported");
    builder.record(failed("home:3"), Timestamp::from_millis(8_000_000));
    assert_eq!(events(builder.drain(Timestamp::from_millis(8_030_000))), [failed("home:3")], "it was fine in between");
}

#[test]
fn an_outage_that_ends_within_the_window_is_one_line() {
    let mut builder = builder(6);
    builder.record(down("home"), Timestamp::UNIX_EPOCH);
    builder.record(up("home"), Timestamp::from_millis(12_000));
    assert_eq!(next(&mut builder), Some((WINDOW, vec![up("home")])));
}

#[test]
fn a_recovery_undone_within_the_window_is_not_reported() {
    let mut builder = builder(6);
    builder.record(down("home"), Timestamp::UNIX_EPOCH);
    assert_eq!(next(&mut builder), Some((WINDOW, vec![down("home")])));
    builder.record(up("home"), Timestamp::from_millis(100_000));
    builder.record(down("home"), Timestamp::from_millis(101_000));
    assert_eq!(next(&mut builder), Some((Duration::from_secs(130), vec![])));
    assert_eq!(builder.due_ms(), None);
}

#[test]
fn a_server_that_was_down_before_the_start_is_reported_as_back() {
    let mut builder = builder(6);
    builder.record(up("home"), Timestamp::UNIX_EPOCH);
    assert_eq!(next(&mut builder), Some((WINDOW, vec![up("home")])));
}

#[test]
fn a_flapping_server_is_reported_once_and_then_suppressed() {
    let mut builder = builder(60);
    let mut digests = Vec::new();
    for round in 0..40_u64 {
        let at_ms = round * 45_000;
        builder.record(if round % 2 == 0 { down("home") } else { up("home") }, Timestamp::from_millis(at_ms));
        digests.extend(builder.drain(Timestamp::from_millis(at_ms) + WINDOW));
    }
    assert_eq!(digests.len(), 5, "four changes and one flapping report: {digests:?}");
    assert!(digests[4].lines[0].is_flapping);
    let last_ms = Timestamp::from_millis(39 * 45_000);
    assert_eq!(builder.due_ms(), Some(last_ms + STABLE));
    assert_eq!(
        events(builder.drain(last_ms + STABLE)),
        [up("home")],
        "it was reported down when it was reported flapping"
    );
    assert_eq!(builder.due_ms(), None);
    builder.record(down("home"), last_ms + STABLE + Duration::from_millis(1));
    assert_eq!(next(&mut builder).expect("a digest").1, [down("home")]);
}

#[test]
fn events_beyond_the_limit_wait_and_are_sent_as_one_message() {
    let mut builder = builder(3);
    for number in 0..3_u64 {
        let at_ms = number * 40_000;
        builder.record(failed(&format!("home:{number}")), Timestamp::from_millis(at_ms));
        assert!(builder.drain(Timestamp::from_millis(at_ms) + WINDOW).is_some());
    }
    for number in 3..40_u64 {
        builder.record(failed(&format!("home:{number}")), Timestamp::from_millis(150_000 + number));
        assert_eq!(builder.drain(Timestamp::from_millis(150_000 + number) + WINDOW), None);
    }
    let due_ms = builder.due_ms().expect("a due time");
    assert_eq!(due_ms, Timestamp::UNIX_EPOCH + WINDOW + PERIOD, "ten minutes after the first message");
    let digest = builder.drain(due_ms).expect("a digest");
    assert_eq!((digest.lines.len(), digest.omitted), (MAX_LINES, 27));
    let message = NotificationMessage::from_digest(digest);
    assert!(message.text.ends_with("\n27 more."), "{}", message.text);
    assert_eq!(message.title, "Greenroom: 37 events");
}

#[test]
fn only_subscribed_events_are_sent_and_the_others_still_tracked() {
    let events = [NotificationEvent::ServerDown].into();
    let mut builder =
        DigestBuilder::new(NotificationSubscription { events, window_ms: Duration::ZERO, max_messages: 60 });
    builder.record(failed("home:3"), Timestamp::UNIX_EPOCH);
    assert_eq!(builder.due_ms(), None);
    for at_ms in [0, 1_000_000, 2_000_000] {
        builder.record(down("home"), Timestamp::from_millis(at_ms));
        assert_eq!(next(&mut builder), Some((Duration::from_millis(at_ms), vec![down("home")])));
        builder.record(up("home"), Timestamp::from_millis(at_ms + 1));
        assert_eq!(builder.due_ms(), None);
    }
}

#[test]
fn at_shutdown_pending_events_are_sent() {
    let mut builder = builder(1);
    builder.record(down("home"), Timestamp::UNIX_EPOCH);
    assert_eq!(events(builder.drain_all(Timestamp::from_millis(1))), [down("home")]);
    builder.record(down("attic"), Timestamp::from_millis(2));
    assert_eq!(
        events(builder.drain_all(Timestamp::from_millis(3))),
        [down("attic")],
        "the message limit does not apply"
    );
    assert_eq!(builder.drain_all(Timestamp::from_millis(4)), None);
}

#[test]
fn a_shrunken_library_is_reported_as_unconfirmed_and_then_as_confirmed() {
    let shrank = |is_believed| SystemEvent::LibraryShrank { library: "home:3".into(), was: 100, came: 3, is_believed };
    let mut builder = builder(6);
    builder.record(shrank(false), Timestamp::UNIX_EPOCH);
    assert_eq!(next(&mut builder).expect("a digest").1, [shrank(false)]);
    builder.record(shrank(false), Timestamp::from_millis(200_000));
    assert_eq!(builder.due_ms(), None);
    builder.record(shrank(true), Timestamp::from_millis(400_000));
    builder.record(done("home:3"), Timestamp::from_millis(400_001));
    assert_eq!(next(&mut builder).expect("a digest").1, [shrank(true)]);
    builder.record(shrank(false), Timestamp::from_millis(900_000));
    assert_eq!(next(&mut builder).expect("a digest").1, [shrank(false)]);
}

fn message(events: &[SystemEvent]) -> NotificationMessage {
    let mut builder = builder(6);
    for (at_ms, event) in (1_700_000_000_000..).zip(events) {
        builder.record(event.clone(), Timestamp::from_millis(at_ms));
    }
    NotificationMessage::from_digest(builder.drain_all(Timestamp::from_millis(1_700_000_030_000)).expect("a digest"))
}

#[test]
fn the_title_of_a_message_names_its_event() {
    for (events, title, urgency) in [
        (vec![down("home")], "home is down", Urgency::Urgent),
        (vec![down("home"), down("attic")], "2 servers are down", Urgency::Urgent),
        (vec![up("home")], "home is back after 12 s", Urgency::Good),
        (vec![failed("home:3")], "home:3 could not be indexed", Urgency::Notice),
        (
            vec![SystemEvent::TokenRejected { server: "home".into() }],
            "home rejects the configured token",
            Urgency::Urgent,
        ),
        (vec![SystemEvent::DiskOff { reason: "full".into() }], "The disk tier is disabled: full", Urgency::Notice),
        (vec![failed("home:3"), down("attic")], "Greenroom: 2 events", Urgency::Urgent),
    ] {
        let message = message(&events);
        assert_eq!((message.title.as_str(), message.urgency), (title, urgency));
        assert_eq!(message.text.lines().count(), events.len());
        assert!(message.title.is_ascii(), "some services send the title as a header");
    }
}

fn render(template: NotificationTemplate) -> (HttpMessage, Value) {
    let rendered = super::template::render(
        template,
        &message(&[down("home")]),
        Timestamp::from_millis(1_700_000_030_000),
        Some(&Secret::new("T0ken")),
    );
    let json = serde_json::from_slice(&rendered.body).unwrap_or(Value::Null);
    (rendered, json)
}

fn header<'a>(rendered: &'a HttpMessage, name: &str) -> &'a str {
    let header_pair = rendered.headers.iter().find(|(header, _)| header.as_str() == name);
    header_pair.map_or("", |(_, value)| value.to_str().expect("text"))
}

const TEXT: &str = "home is down. Apps are answered from the cache.";

#[test]
fn ntfy_takes_the_text_as_body_and_the_rest_as_headers() {
    let (rendered, _) = render(NotificationTemplate::Ntfy);
    assert_eq!(rendered.body, TEXT);
    assert_eq!(header(&rendered, "title"), "home is down");
    assert_eq!(header(&rendered, "priority"), "high");
    assert_eq!(header(&rendered, "tags"), "rotating_light");
    assert_eq!(header(&rendered, "authorization"), "Bearer T0ken");
}

#[test]
fn gotify_takes_title_message_and_priority() {
    let (rendered, json) = render(NotificationTemplate::Gotify);
    assert_eq!(json, json!({"title": "home is down", "message": TEXT, "priority": 8}));
    assert_eq!(header(&rendered, "x-gotify-key"), "T0ken");
    assert_eq!(header(&rendered, "authorization"), "");
}

#[test]
fn discord_takes_an_embed_without_mentions() {
    let (_, json) = render(NotificationTemplate::Discord);
    let embed = json!({"title": "home is down", "description": TEXT, "color": 0xc9_36_2c});
    let expected = json!({"username": "Greenroom", "embeds": [embed], "allowed_mentions": {"parse": []}});
    assert_eq!(json, expected);
}

#[test]
fn apprise_takes_title_body_and_type() {
    let (_, json) = render(NotificationTemplate::Apprise);
    assert_eq!(json, json!({"title": "home is down", "body": TEXT, "type": "failure", "format": "text"}));
}

#[test]
fn the_json_template_holds_everything() {
    let (rendered, json) = render(NotificationTemplate::Json);
    assert_eq!(header(&rendered, "content-type"), "application/json");
    let event = json!({
        "event": "server-down", "at_ms": 1_700_000_000_000_u64, "server": "home", "library": null, "unsteady": false
    });
    assert_eq!(
        json,
        json!({
            "version": 1, "sent_ms": 1_700_000_030_000_u64, "title": "home is down", "text": TEXT,
            "urgency": "urgent", "events": [event], "more": 0
        })
    );
}

#[test]
fn the_longest_message_fits_the_limits_of_the_services() {
    let long = "x".repeat(40);
    let many: Vec<SystemEvent> = (0..100).map(|number| failed(&format!("{long}:{number}{long}"))).collect();
    let message = message(&many);
    assert!(
        message.text.len() < 3_500,
        "an embed may have 4096 characters, a topic 4096 bytes: {}",
        message.text.len()
    );
    assert!(message.title.len() < 250);
}

/// Answers one request with this status.
async fn respond(listener: &tokio::net::TcpListener, status: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut stream, _) = listener.accept().await.expect("a connection");
    let mut received = vec![0; 64 * 1024];
    assert!(stream.read(&mut received).await.expect("a request") > 0);
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(response.as_bytes()).await.expect("response written");
}

#[tokio::test]
async fn the_result_of_a_test_message_raises_and_clears_the_warning() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a local address");
    let mut tree = greenroom_config::ConfigSource::default();
    let server = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n";
    tree.add_toml("g.toml", &format!("{server}[[notice]]\nname = \"phone\"\nurl = \"http://{address}/\"\n"));
    let settings = greenroom_config::Settings::read(tree).expect("valid configuration");
    let warnings = std::sync::Arc::new(greenroom_state::warnings::Warnings::default());
    let clock = greenroom_cache::Clock::system();
    let notifier = super::Notifier::new(settings.notification_targets, &clock, &warnings);
    let names = || warnings.active().iter().map(greenroom_state::warnings::Warning::name).collect::<Vec<_>>();
    let ((), results) = tokio::join!(respond(&listener, "403 Forbidden"), notifier.test(Some("phone")));
    assert!(results.expect("a target")[0].1.is_err());
    assert_eq!(names(), ["notice-undelivered/phone"]);
    let ((), results) = tokio::join!(respond(&listener, "200 OK"), notifier.test(None));
    assert!(results.expect("a target")[0].1.is_ok());
    assert_eq!(names(), [""; 0]);
}
