//! Which notifications are sent when, with time as an argument; and what each service receives.

use super::message::{NotificationMessage, Urgency};
use super::template::{HttpMessage, NotificationTemplate};
use crate::notifications::digest::{CALM_MS, Digest, DigestBuilder, MAX_LINES, NotificationSubscription, SPAN_MS};
use greenroom_config::NotificationEvent;
use greenroom_dialect::credential::Secret;
use greenroom_origin::system_event::SystemEvent;
use serde_json::{Value, json};

const WINDOW_MS: u64 = 30_000;

fn grouping(max_messages: usize) -> DigestBuilder {
    DigestBuilder::new(NotificationSubscription {
        events: NotificationEvent::EVERY.into(),
        window_ms: WINDOW_MS,
        max_messages,
    })
}

fn down(server: &str) -> SystemEvent {
    SystemEvent::ServerDown { server: server.into() }
}

fn up(server: &str) -> SystemEvent {
    SystemEvent::ServerUp { server: server.into(), after_ms: 12_000 }
}

fn failed(library: &str) -> SystemEvent {
    SystemEvent::BuildFailed { library: library.into(), reason: "it was not done within 180 minutes".into() }
}

fn done(library: &str) -> SystemEvent {
    SystemEvent::BuildDone { library: library.into() }
}

fn facts(digest: Option<Digest>) -> Vec<SystemEvent> {
    digest.map(|digest| digest.lines.into_iter().map(|line| line.fact).collect()).unwrap_or_default()
}

/// The next digest's events and its due time.
fn next(grouping: &mut DigestBuilder) -> Option<(u64, Vec<SystemEvent>)> {
    let due_ms = grouping.due_ms()?;
    Some((due_ms, facts(grouping.drain(due_ms))))
}

#[test]
fn what_happens_within_the_window_is_told_together() {
    let mut grouping = grouping(6);
    grouping.record(down("home"), 1_000);
    grouping.record(down("attic"), 20_000);
    grouping.record(SystemEvent::DiskOff { reason: "full".into() }, 30_999);
    assert_eq!(grouping.drain(30_999), None, "the window is open");
    let told = next(&mut grouping).expect("it is due");
    assert_eq!(told.0, 31_000);
    assert_eq!(told.1.len(), 3);
    assert_eq!(grouping.due_ms(), None);
    grouping.record(down("den"), 40_000);
    assert_eq!(next(&mut grouping), Some((70_000, vec![down("den")])), "the next one opens a window of its own");
}

#[test]
fn nothing_is_told_twice() {
    let mut grouping = grouping(60);
    grouping.record(failed("home:3"), 0);
    assert_eq!(next(&mut grouping), Some((WINDOW_MS, vec![failed("home:3")])));
    for minute in 1..100 {
        grouping.record(failed("home:3"), minute * 60_000);
    }
    assert_eq!(grouping.due_ms(), None, "it fails on");
    grouping.record(done("home:3"), 7_000_000);
    assert_eq!(grouping.due_ms(), None, "that it is done is not told");
    grouping.record(failed("home:3"), 8_000_000);
    assert_eq!(facts(grouping.drain(8_030_000)), [failed("home:3")], "it had been well meanwhile");
}

#[test]
fn what_went_and_came_back_within_the_window_is_one_line() {
    let mut grouping = grouping(6);
    grouping.record(down("home"), 0);
    grouping.record(up("home"), 12_000);
    assert_eq!(next(&mut grouping), Some((WINDOW_MS, vec![up("home")])));
}

#[test]
fn what_came_back_and_went_again_within_the_window_stands_as_it_was_told() {
    let mut grouping = grouping(6);
    grouping.record(down("home"), 0);
    assert_eq!(next(&mut grouping), Some((WINDOW_MS, vec![down("home")])));
    grouping.record(up("home"), 100_000);
    grouping.record(down("home"), 101_000);
    assert_eq!(next(&mut grouping), Some((130_000, vec![])));
    assert_eq!(grouping.due_ms(), None);
}

#[test]
fn a_server_that_was_down_before_this_process_began_is_told_to_be_back() {
    let mut grouping = grouping(6);
    grouping.record(up("home"), 0);
    assert_eq!(next(&mut grouping), Some((WINDOW_MS, vec![up("home")])));
}

#[test]
fn a_server_that_goes_again_and_again_is_called_so_once_and_then_held_down() {
    let mut grouping = grouping(60);
    let mut told = Vec::new();
    for round in 0..40_u64 {
        let at_ms = round * 45_000;
        grouping.record(if round % 2 == 0 { down("home") } else { up("home") }, at_ms);
        told.extend(grouping.drain(at_ms + WINDOW_MS));
    }
    assert_eq!(told.len(), 5, "four turns, and that it goes on: {told:?}");
    assert!(told[4].lines[0].is_flapping);
    let last_ms = 39 * 45_000;
    assert_eq!(grouping.due_ms(), Some(last_ms + CALM_MS));
    assert_eq!(
        facts(grouping.drain(last_ms + CALM_MS)),
        [up("home")],
        "it was told to be down when it was called unsteady"
    );
    assert_eq!(grouping.due_ms(), None);
    grouping.record(down("home"), last_ms + CALM_MS + 1);
    assert_eq!(next(&mut grouping).expect("it is told again").1, [down("home")]);
}

#[test]
fn beyond_the_limit_everything_waits_and_is_told_as_one() {
    let mut grouping = grouping(3);
    for number in 0..3_u64 {
        let at_ms = number * 40_000;
        grouping.record(failed(&format!("home:{number}")), at_ms);
        assert!(grouping.drain(at_ms + WINDOW_MS).is_some());
    }
    for number in 3..40_u64 {
        grouping.record(failed(&format!("home:{number}")), 150_000 + number);
        assert_eq!(grouping.drain(150_000 + number + WINDOW_MS), None);
    }
    let due_ms = grouping.due_ms().expect("later");
    assert_eq!(due_ms, WINDOW_MS + SPAN_MS, "when the first message is ten minutes old");
    let digest = grouping.drain(due_ms).expect("it is due");
    assert_eq!((digest.lines.len(), digest.omitted), (MAX_LINES, 27));
    let message = NotificationMessage::from_digest(digest);
    assert!(message.text.ends_with("\n27 more."), "{}", message.text);
    assert_eq!(message.title, "Greenroom: 37 things happened");
}

#[test]
fn only_what_is_wanted_is_told_and_the_rest_is_still_known() {
    let events = [NotificationEvent::ServerDown].into();
    let mut grouping = DigestBuilder::new(NotificationSubscription { events, window_ms: 0, max_messages: 60 });
    grouping.record(failed("home:3"), 0);
    assert_eq!(grouping.due_ms(), None);
    for at_ms in [0, 1_000_000, 2_000_000] {
        grouping.record(down("home"), at_ms);
        assert_eq!(next(&mut grouping), Some((at_ms, vec![down("home")])));
        grouping.record(up("home"), at_ms + 1);
        assert_eq!(grouping.due_ms(), None);
    }
}

#[test]
fn at_the_end_nothing_waits_any_longer() {
    let mut grouping = grouping(1);
    grouping.record(down("home"), 0);
    assert_eq!(facts(grouping.drain_all(1)), [down("home")]);
    grouping.record(down("attic"), 2);
    assert_eq!(facts(grouping.drain_all(3)), [down("attic")], "the limit does not count either");
    assert_eq!(grouping.drain_all(4), None);
}

#[test]
fn a_library_is_told_to_be_doubted_and_then_to_have_shrunk() {
    let shrank = |is_believed| SystemEvent::LibraryShrank { library: "home:3".into(), was: 100, came: 3, is_believed };
    let mut grouping = grouping(6);
    grouping.record(shrank(false), 0);
    assert_eq!(next(&mut grouping).expect("it is told").1, [shrank(false)]);
    grouping.record(shrank(false), 200_000);
    assert_eq!(grouping.due_ms(), None);
    grouping.record(shrank(true), 400_000);
    grouping.record(done("home:3"), 400_001);
    assert_eq!(next(&mut grouping).expect("it is told").1, [shrank(true)]);
    grouping.record(shrank(false), 900_000);
    assert_eq!(next(&mut grouping).expect("it is told").1, [shrank(false)]);
}

fn message(facts: &[SystemEvent]) -> NotificationMessage {
    let mut grouping = grouping(6);
    for (at_ms, fact) in (1_700_000_000_000..).zip(facts) {
        grouping.record(fact.clone(), at_ms);
    }
    NotificationMessage::from_digest(grouping.drain_all(1_700_000_030_000).expect("there is something"))
}

#[test]
fn a_message_says_what_it_is_about_in_its_title() {
    for (facts, title, urgency) in [
        (vec![down("home")], "home is down", Urgency::Urgent),
        (vec![down("home"), down("attic")], "2 servers are down", Urgency::Urgent),
        (vec![up("home")], "home is back after 12 s", Urgency::Good),
        (vec![failed("home:3")], "home:3 could not be indexed", Urgency::Notice),
        (
            vec![SystemEvent::TokenRejected { server: "home".into() }],
            "home rejects the configured token",
            Urgency::Urgent,
        ),
        (vec![SystemEvent::DiskOff { reason: "full".into() }], "The disk is off: full", Urgency::Notice),
        (vec![failed("home:3"), down("attic")], "Greenroom: 2 things happened", Urgency::Urgent),
    ] {
        let message = message(&facts);
        assert_eq!((message.title.as_str(), message.urgency), (title, urgency));
        assert_eq!(message.text.lines().count(), facts.len());
        assert!(message.title.is_ascii(), "some services take the title as a header");
    }
}

fn written(template: NotificationTemplate) -> (HttpMessage, Value) {
    let letter =
        super::template::render(template, &message(&[down("home")]), 1_700_000_030_000, Some(&Secret::new("T0ken")));
    let json = serde_json::from_slice(&letter.body).unwrap_or(Value::Null);
    (letter, json)
}

fn header<'a>(letter: &'a HttpMessage, name: &str) -> &'a str {
    let found = letter.headers.iter().find(|(header, _)| header.as_str() == name);
    found.map_or("", |(_, value)| value.to_str().expect("text"))
}

const TEXT: &str = "home is down. Apps are answered from what is kept.";

#[test]
fn ntfy_takes_the_text_as_body_and_the_rest_as_headers() {
    let (letter, _) = written(NotificationTemplate::Ntfy);
    assert_eq!(letter.body, TEXT);
    assert_eq!(header(&letter, "title"), "home is down");
    assert_eq!(header(&letter, "priority"), "high");
    assert_eq!(header(&letter, "tags"), "rotating_light");
    assert_eq!(header(&letter, "authorization"), "Bearer T0ken");
}

#[test]
fn gotify_takes_title_message_and_priority() {
    let (letter, json) = written(NotificationTemplate::Gotify);
    assert_eq!(json, json!({"title": "home is down", "message": TEXT, "priority": 8}));
    assert_eq!(header(&letter, "x-gotify-key"), "T0ken");
    assert_eq!(header(&letter, "authorization"), "");
}

#[test]
fn discord_takes_an_embed_and_mentions_nobody() {
    let (_, json) = written(NotificationTemplate::Discord);
    let embed = json!({"title": "home is down", "description": TEXT, "color": 0xc9_36_2c});
    let whole = json!({"username": "Greenroom", "embeds": [embed], "allowed_mentions": {"parse": []}});
    assert_eq!(json, whole);
}

#[test]
fn apprise_takes_title_body_and_type() {
    let (_, json) = written(NotificationTemplate::Apprise);
    assert_eq!(json, json!({"title": "home is down", "body": TEXT, "type": "failure", "format": "text"}));
}

#[test]
fn programs_get_everything_that_is_known() {
    let (letter, json) = written(NotificationTemplate::Json);
    assert_eq!(header(&letter, "content-type"), "application/json");
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
fn a_message_at_its_longest_fits_what_services_take() {
    let long = "x".repeat(40);
    let many: Vec<SystemEvent> = (0..100).map(|number| failed(&format!("{long}:{number}{long}"))).collect();
    let message = message(&many);
    assert!(message.text.len() < 3_500, "an embed may have 4096 letters, a topic 4096 bytes: {}", message.text.len());
    assert!(message.title.len() < 250);
}

/// Answers one request with this status.
async fn answer(listener: &tokio::net::TcpListener, status: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut stream, _) = listener.accept().await.expect("somebody comes");
    let mut heard = vec![0; 64 * 1024];
    assert!(stream.read(&mut heard).await.expect("it can be read") > 0);
    let said = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(said.as_bytes()).await.expect("it can be written");
}

#[tokio::test]
async fn what_came_of_trying_it_out_raises_and_lowers_the_warning() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has one");
    let mut tree = greenroom_config::ConfigSource::default();
    let server = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://127.0.0.1:9\"\n";
    tree.add_toml("g.toml", &format!("{server}[[notice]]\nname = \"phone\"\nurl = \"http://{address}/\"\n"));
    let settings = greenroom_config::Settings::read(tree).expect("it is valid");
    let warnings = std::sync::Arc::new(greenroom_state::warnings::Warnings::default());
    let clock = greenroom_cache::Clock::system();
    let notices = super::Notifier::new(settings.notification_targets, &clock, &warnings);
    let said = || warnings.active().iter().map(greenroom_state::warnings::Warning::name).collect::<Vec<_>>();
    let ((), tried) = tokio::join!(answer(&listener, "403 Forbidden"), notices.test(Some("phone")));
    assert!(tried.expect("there is one")[0].1.is_err());
    assert_eq!(said(), ["notice-undelivered/phone"]);
    let ((), tried) = tokio::join!(answer(&listener, "200 OK"), notices.test(None));
    assert!(tried.expect("there is one")[0].1.is_ok());
    assert_eq!(said(), [""; 0]);
}
