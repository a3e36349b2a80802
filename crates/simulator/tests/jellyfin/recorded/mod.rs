//! The simulated Jellyfin held to a recording of a real one: after each of 39 writes the same messages go to the same
//! users, and the same reads have changed for them.

mod exceptions;
mod library;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::frames::FrameClient;
use crate::server::{JellyfinFixture, plain};
use exceptions::{Difference, is_constant, is_expected, is_expected_message};
use library::USERS;

/// Time after a write in which the recording listened, as here.
const LISTENED: Duration = Duration::from_secs(9);
/// `LibraryUpdateDuration` of the recorded server.
const LIBRARY_UPDATE: Duration = Duration::from_secs(3);

struct Replay {
    server: JellyfinFixture,
    recording: Value,
    /// Ids by name.
    names: BTreeMap<String, String>,
    sockets: Vec<FrameClient>,
    /// Bodies of all reads of each user.
    state: Vec<Vec<Value>>,
}

impl Replay {
    async fn begin() -> Self {
        let recording: Value = serde_json::from_str(include_str!("jellyfin_12.json")).expect("it is JSON");
        let server = JellyfinFixture::with_options(|options| {
            options.size = library::size();
            options.users = Some(library::users());
            options.plays_per_user = 0;
            options.switches.random_similar = false;
            options.switches.library_changed_delay = LIBRARY_UPDATE;
            options.switches.user_data_changed_delay = Duration::from_millis(500);
        })
        .await;
        let names = library::furnish(&server, recording["films"].as_array().expect("films"));
        let mut replay = Self { server, recording, names, sockets: Vec::new(), state: Vec::new() };
        replay.name_what_has_an_id_of_its_own().await;
        for user in USERS {
            replay.sockets.push(FrameClient::open(&replay.server, user).await);
        }
        replay.state = replay.read_all().await;
        replay
    }

    /// Adds the names of what is found by reading: the person, and the libraries beside those of files.
    async fn name_what_has_an_id_of_its_own(&mut self) {
        let person = self.server.get("/Persons/Actor%200").by("root").value().await;
        let views = self.server.get("/UserViews").by("root").value().await;
        let view = |kind: &str| {
            let rows = views["Items"].as_array().expect("a list");
            rows.iter().find(|row| row["CollectionType"] == kind).map(|row| row["Id"].clone()).expect("a view")
        };
        for (name, id) in
            [("person", person["Id"].clone()), ("f_collections", view("boxsets")), ("f_playlists", view("playlists"))]
        {
            self.names.insert(name.into(), id.as_str().expect("an id").into());
        }
    }

    fn target(&self, path: &str, user: &str) -> String {
        let mut target = path.replace("{u}", &self.names[user]);
        for (name, id) in &self.names {
            target = target.replace(&format!("{{{name}}}"), id);
        }
        target
    }

    fn reads(&self) -> Vec<String> {
        let reads = self.recording["reads"].as_array().expect("a list");
        reads.iter().map(|read| read.as_str().expect("text").to_owned()).collect()
    }

    async fn read(&self, read: &str, user: &str) -> Value {
        if is_constant(read) {
            return Value::Null;
        }
        let got = self.server.get(&self.target(read, user)).by(user).send().await;
        if got.status.is_success() { settled(plain(got.value())) } else { json!(got.status.as_u16()) }
    }

    async fn read_all(&self) -> Vec<Vec<Value>> {
        let mut all = Vec::new();
        for user in USERS {
            let mut bodies = Vec::new();
            for read in self.reads() {
                bodies.push(self.read(&read, user).await);
            }
            all.push(bodies);
        }
        all
    }

    async fn send(&mut self, write: &str, request: &Value) {
        let path = self.target(request["path"].as_str().expect("a path"), "root");
        let path = if write.starts_with("playlist move") || write.starts_with("playlist remove") {
            self.with_entry(&path).await
        } else {
            path
        };
        let method: Method = request["method"].as_str().expect("a method").parse().expect("a method");
        let ask = self.server.ask(method, &path).by("root");
        let ask = match (&request["body"], write) {
            (Value::String(_), _) => ask.json(&self.edited(write).await),
            (Value::Null, "image upload") => ask.header("content-type", "image/png").body(b"iVBORw0KGgo="),
            (Value::Null, _) => ask,
            (body, _) => ask.json(&serde_json::from_str(&self.target(&body.to_string(), "root")).expect("JSON")),
        };
        let got = ask.send().await;
        assert!(got.status.is_success(), "{write}: {} {path}", got.status);
        if write == "playlist new" {
            self.names.insert("new_playlist".into(), got.value()["Id"].as_str().expect("an id").into());
        }
    }

    /// The real server's entries have the ids of their items; these have their own.
    async fn with_entry(&self, path: &str) -> String {
        let items = format!("/Playlists/{}/Items", self.names["new_playlist"]);
        let items = self.server.get(&items).by("root").value().await;
        let rows = items["Items"].as_array().expect("a list");
        let row = rows.iter().find(|row| row["Id"] == self.names["track_6"].as_str()).expect("the track");
        path.replace(&self.names["track_6"], row["PlaylistItemId"].as_str().expect("an id"))
    }

    /// The whole film with what the write changes.
    async fn edited(&self, write: &str) -> Value {
        let mut film = self.server.get(&format!("/Items/{}", self.names["movie"])).by("root").value().await;
        match write {
            "edit overview" => film["Overview"] = json!("Another overview"),
            "edit title" => film["Name"] = json!("Amber Road Again"),
            "edit title back" => film["Name"] = json!("Amber Road"),
            "edit genres" => film["Genres"] = json!(["Drama", "Western"]),
            other => panic!("what does {other} change?"),
        }
        film
    }

    /// The messages to each user since the last call, with ids by their names.
    async fn heard(&mut self) -> Vec<Vec<Value>> {
        tokio::time::sleep(LISTENED).await;
        let mut all = Vec::new();
        for socket in &mut self.sockets {
            let mut told: Vec<Value> = Vec::new();
            for frame in socket.rest().await.iter().filter(|frame| !is_expected_message(frame)) {
                let row = json!({"type": frame["MessageType"], "names": named(&self.names, frame)});
                if !told.contains(&row) {
                    told.push(row);
                }
            }
            all.push(told);
        }
        all
    }
}

/// The names in a message, as in the recording.
fn named(names: &BTreeMap<String, String>, frame: &Value) -> Value {
    let name = |id: &Value| {
        let id = id.as_str().expect("an id");
        let of_id = names.iter().filter(|(_, known)| *known == id).map(|(name, _)| name.as_str());
        // Of two names of one thing the recording has the one without a number.
        let name = of_id.min_by_key(|name| (name.starts_with("track_") || name.starts_with("film_"), *name));
        let name = name.map_or(id, |name| if name.starts_with("other_episode") { "other_episode" } else { name });
        format!("{{{name}}}")
    };
    let sorted = |ids: &mut dyn Iterator<Item = &Value>| {
        let mut names: Vec<String> = ids.map(name).collect();
        names.sort();
        names
    };
    let data = &frame["Data"];
    match frame["MessageType"].as_str() {
        Some("UserDataChanged") => {
            let rows = data["UserDataList"].as_array().expect("a list");
            json!(sorted(&mut rows.iter().map(|row| &row["ItemId"])))
        }
        Some("LibraryChanged") => {
            let lists =
                data.as_object().expect("an object").iter().filter_map(|(list, ids)| Some((list, ids.as_array()?)));
            let lists = lists.filter(|(_, ids)| !ids.is_empty());
            lists.map(|(list, ids)| (list.clone(), json!(sorted(&mut ids.iter())))).collect()
        }
        _ => json!(name(&data["ItemId"])),
    }
}

/// The body without what changes with every request.
fn settled(mut body: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| {
                    !["DateLastActivity", "LastPlaybackCheckIn", "LastLoginDate", "PlaySessionId"]
                        .contains(&name.as_str())
                });
                fields.values_mut().for_each(strip);
            }
            Value::Array(rows) => rows.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut body);
    body
}

#[tokio::test(start_paused = true)]
async fn the_recorded_writes_tell_the_same_users_the_same_and_change_the_same_reads() {
    let mut replay = Replay::begin().await;
    let reads = replay.reads();
    let (mut found, mut messages) = (Vec::new(), Vec::new());
    for step in replay.recording["writes"].as_array().expect("a list").clone() {
        let write = step["write"].as_str().expect("a name");
        for request in step["requests"].as_array().expect("a list") {
            replay.send(write, request).await;
        }
        let heard = replay.heard().await;
        let now = replay.read_all().await;
        for (at, user) in USERS.iter().enumerate() {
            let recorded = step["messages"][user].as_array().expect("a list");
            if !same_messages(recorded, &heard[at]) {
                messages.push(format!("{write}, {user}: recorded {recorded:?}\n    here {:?}", heard[at]));
            }
            let recorded: BTreeSet<usize> = step["changed"][user]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|number| usize::try_from(number.as_u64()?).ok())
                .collect();
            let here: BTreeSet<usize> =
                (0..reads.len()).filter(|read| now[at][*read] != replay.state[at][*read]).collect();
            for (set, other, kind) in
                [(&recorded, &here, Difference::OnlyThere), (&here, &recorded, Difference::OnlyHere)]
            {
                let differing = set.difference(other).filter(|read| !is_expected(kind, write, &reads[**read]));
                found.extend(differing.map(|read| format!("{kind:?}: {write}, {user}: {}", reads[*read])));
            }
        }
        replay.state = now;
    }
    assert!(messages.is_empty() && found.is_empty(), "{}\n\n{}", messages.join("\n"), found.join("\n"));
    replay.server.leave().await;
}

/// Whether the same is told. Of long lists the recording has the type alone.
fn same_messages(recorded: &[Value], here: &[Value]) -> bool {
    let is_same = |(recorded, here): (&Value, &Value)| {
        recorded["type"] == here["type"] && (recorded["names"] == "many" || recorded["names"] == here["names"])
    };
    let order = |messages: &[Value]| {
        let mut sorted = messages.to_vec();
        sorted.sort_by_key(ToString::to_string);
        sorted
    };
    recorded.len() == here.len() && order(recorded).iter().zip(&order(here)).all(is_same)
}
