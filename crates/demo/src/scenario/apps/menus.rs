//! A user of a television menu: the start page with items to continue, a show, its seasons, the episodes of one, and
//! the images of all these. Some time later the user returns to the start and takes the same way again.
//!
//! Like the add-ons that do this, it holds a notification socket open while it is switched on, until the end of the
//! evening.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::super::app_client::AppClient;
use super::super::workload::{FurtherVisits, MenuVisits, Workload};

/// Name of the first visit in the comparison.
pub(super) const FIRST_VISIT: &str = "kodi menus, first visit";
/// Name of the second visit in the comparison.
pub(crate) const SECOND_VISIT: &str = "kodi menus, second visit";

/// Name of all later visits in the comparison.
const LATER_VISITS: &str = "kodi menus, later visits";

/// Interval of the add-on's keep-alives.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const FIELDS: &str = "fields=DateCreated%2COverview%2CGenres%2CMediaStreams%2CPath";
/// Images of one list that fit on the screen.
const PICTURES: usize = 12;

pub(super) async fn play(mut visitor: AppClient, evening: &Workload) {
    let MenuVisits { first, further } = evening.menu_visits;
    visitor.clock.sleep_until(first).await;
    let listening = visitor.clone();
    let visits = async {
        let capabilities = json!({"PlayableMediaTypes": ["Audio", "Video"], "SupportsMediaControl": true});
        visitor.post("/Sessions/Capabilities/Full", &capabilities).await;
        wander(&visitor).await;
        match further {
            FurtherVisits::After(pause) => {
                visitor.clock.sleep(pause).await;
                visitor.start_record(SECOND_VISIT);
                wander(&visitor).await;
            }
            FurtherVisits::Interval(interval) => {
                let mut name = Some(SECOND_VISIT);
                let clock = visitor.clock.clone();
                let mut moments = clock.ticks((first + interval, interval), (Duration::ZERO, evening.length));
                while moments.next().await {
                    if let Some(name) = name {
                        visitor.start_record(name);
                    }
                    // The second visit is the one that is repeated when the apps read on.
                    name = (name == Some(SECOND_VISIT)).then_some(LATER_VISITS);
                    wander(&visitor).await;
                }
            }
        }
        visitor.clock.sleep_until(evening.length).await;
    };
    tokio::select! {
        () = visits => {}
        () = listen(&listening) => {}
    }
}

/// Repeats the same requests step by step, whatever the responses are.
pub(super) async fn retrace(visitor: &AppClient, steps: &[String]) {
    for step in steps {
        visitor.get(step).await;
    }
}

/// One visit.
async fn wander(visitor: &AppClient) {
    let me = visitor.get("/Users/Me").await.json();
    let Some(user) = me["Id"].as_str() else { return };
    let user = format!("userId={user}");
    visitor.get(&format!("/UserViews?{user}")).await;
    let resume =
        visitor.get(&format!("/UserItems/Resume?{user}&limit=20&mediaTypes=Video&recursive=true&{FIELDS}")).await;
    let next = visitor.get(&format!("/Shows/NextUp?{user}&limit=24&{FIELDS}")).await;
    let latest =
        visitor.get(&format!("/Items/Latest?{user}&includeItemTypes=Episode&limit=20&groupItems=true&{FIELDS}")).await;
    for list in [resume.json(), next.json(), latest.json()] {
        pictures(visitor, &list).await;
    }
    let shows = format!(
        "/Items?{user}&includeItemTypes=Series&recursive=true&sortBy=SortName&sortOrder=Ascending&startIndex=0&limit=50&{FIELDS}"
    );
    let shows = visitor.get(&shows).await.json();
    pictures(visitor, &shows).await;
    let Some(show) = items(&shows).first().and_then(|show| show["Id"].as_str()).map(str::to_owned) else {
        return;
    };
    let seasons = visitor.get(&format!("/Shows/{show}/Seasons?{user}&{FIELDS}")).await.json();
    pictures(visitor, &seasons).await;
    let Some(season) = items(&seasons).first().and_then(|season| season["Id"].as_str()).map(str::to_owned) else {
        return;
    };
    let episodes = visitor.get(&format!("/Shows/{show}/Episodes?{user}&seasonId={season}&{FIELDS}")).await.json();
    pictures(visitor, &episodes).await;
}

async fn pictures(visitor: &AppClient, list: &Value) {
    for item in items(list).iter().take(PICTURES) {
        let (Some(id), Some(tag)) = (item["Id"].as_str(), item["ImageTags"]["Primary"].as_str()) else {
            continue;
        };
        visitor.get(&format!("/Items/{id}/Images/Primary?maxWidth=400&quality=90&tag={tag}")).await;
    }
}

/// Items of a list, which some responses wrap.
fn items(list: &Value) -> &[Value] {
    list["Items"].as_array().or_else(|| list.as_array()).map_or(&[], Vec::as_slice)
}

/// Holds the socket open and sends keep-alives. Never ends: a client without a socket goes on all the same.
async fn listen(visitor: &AppClient) {
    let target = format!("/socket?api_key={}&deviceId=kodi", visitor.token());
    if let Some(mut socket) = visitor.socket(&target).await {
        loop {
            tokio::select! {
                () = visitor.clock.sleep(KEEP_ALIVE) => {
                    if socket.send(Message::text(r#"{"MessageType":"KeepAlive"}"#)).await.is_err() {
                        break;
                    }
                }
                message = socket.next() => {
                    if !matches!(message, Some(Ok(_))) {
                        break;
                    }
                }
            }
        }
    }
    std::future::pending::<()>().await;
}
