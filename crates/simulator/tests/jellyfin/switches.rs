//! Every switch in both positions.

use greenroom_simulator::catalogue::{MediaKind, Section};
use greenroom_simulator::jellyfin::{JellyfinSwitches, item_id, library_id, user_id};
use greenroom_simulator::users::UserId;
use serde_json::{Value, json};

use crate::server::JellyfinFixture;

/// Asks the same of two servers that differ in one switch.
async fn both(set: impl Fn(&mut JellyfinSwitches, bool), ask: impl AsyncFn(&JellyfinFixture) -> Value) -> [Value; 2] {
    let mut said = [Value::Null, Value::Null];
    for (on, said) in [false, true].into_iter().zip(&mut said) {
        let server = JellyfinFixture::with(|switches| set(switches, on)).await;
        *said = ask(&server).await;
        server.leave().await;
    }
    said
}

#[tokio::test]
async fn bodies_are_compressed_only_if_switched_on() {
    let said = both(
        |switches, on| switches.compress = on,
        async |server| {
            let got = server.get("/UserViews").by("sam").header("accept-encoding", "gzip").send().await;
            json!([got.header("content-encoding"), got.header("vary")])
        },
    );
    assert_eq!(said.await, [json!(["", ""]), json!(["gzip", "Accept-Encoding"])]);
}

#[tokio::test]
async fn legacy_routes_exist_only_if_switched_on() {
    let said = both(
        |switches, on| switches.legacy_routes = on,
        async |server| {
            let got = server.get(&format!("/Users/{}/Views", user_id(UserId(2)))).by("sam").send().await;
            json!(got.status.as_u16())
        },
    );
    assert_eq!(said.await, [json!(404), json!(200)]);
}

#[tokio::test]
async fn the_emby_prefix_exists_only_if_switched_on() {
    let said = both(
        |switches, on| switches.emby_prefix = on,
        async |server| json!(server.get("/emby/System/Info/Public").send().await.status.as_u16()),
    );
    // Without the prefix the path is unknown, and the request has no known user.
    assert_eq!(said.await, [json!(401), json!(200)]);
}

#[tokio::test]
async fn names_follow_the_language_only_if_switched_on() {
    let said = both(
        |switches, on| switches.localized_names = on,
        async |server| {
            let views = server.get("/UserViews").by("sam").header("accept-language", "de-DE,de;q=0.9").value().await;
            views["Items"][0]["Name"].clone()
        },
    );
    assert_eq!(said.await, [json!("Films"), json!("Filme")]);
}

#[tokio::test]
async fn a_null_channel_is_written_only_if_switched_on() {
    let said = both(
        |switches, on| switches.channel_id_null = on,
        async |server| {
            let item = server.get(&format!("/Items/{}", server.first(MediaKind::Film))).by("sam").value().await;
            json!(item.as_object().is_some_and(|fields| fields.contains_key("ChannelId")))
        },
    );
    assert_eq!(said.await, [json!(false), json!(true)]);
}

#[tokio::test]
async fn user_data_in_lists_has_no_id_if_switched_on() {
    let said = both(
        |switches, on| switches.zero_user_data_ids = on,
        async |server| {
            let film = server.first(MediaKind::Film);
            let listed = server.get(&format!("/Items?ids={film}")).by("sam").value().await;
            let single = server.get(&format!("/Items/{film}")).by("sam").value().await;
            assert_eq!(single["UserData"]["ItemId"], film.as_str(), "a single item has its id in both positions");
            json!(listed["Items"][0]["UserData"]["ItemId"] == film.as_str())
        },
    );
    assert_eq!(said.await, [json!(true), json!(false)]);
}

#[tokio::test]
async fn an_uncounted_total_is_nothing_or_the_page() {
    let said = both(
        |switches, on| switches.uncounted_is_page = on,
        async |server| {
            let target = "/Items?recursive=true&includeItemTypes=Movie&limit=4&enableTotalRecordCount=false";
            server.get(target).by("sam").value().await["TotalRecordCount"].clone()
        },
    );
    assert_eq!(said.await, [json!(0), json!(4)]);
}

#[tokio::test]
async fn user_data_for_another_user_goes_where_the_switch_says() {
    let said = both(
        |switches, on| switches.user_data_to_caller = on,
        async |server| {
            let film = server.first(MediaKind::Film);
            let target = format!("/UserItems/{film}/UserData?userId={}", user_id(UserId(2)));
            server.post(&target).by("owner-a").json(&json!({"IsFavorite": true})).expect(200).await;
            server.get(&format!("/UserItems/{film}/UserData")).by("sam").value().await["IsFavorite"].clone()
        },
    );
    assert_eq!(said.await, [json!(true), json!(false)]);
}

#[tokio::test]
async fn a_name_with_a_comma_is_one_or_two() {
    let said = both(
        |switches, on| switches.split_names_at_commas = on,
        async |server| {
            let film = server.items(MediaKind::Film)[0];
            server.running().edit_item(film, |record| record.genres = vec!["Noir, French".into()]);
            let target = "/Items?recursive=true&genres=Noir%2C%20French";
            server.get(target).by("sam").value().await["TotalRecordCount"].clone()
        },
    );
    assert_eq!(said.await, [json!(1), json!(0)]);
}

#[tokio::test]
async fn a_denied_library_is_unknown_or_unauthorized() {
    let said = both(
        |switches, on| switches.denied_library_is_401 = on,
        async |server| {
            let target = format!("/Items?parentId={}", library_id(Section::Shows));
            json!(server.get(&target).by("kim").send().await.status.as_u16())
        },
    );
    assert_eq!(said.await, [json!(404), json!(401)]);
}

#[tokio::test]
async fn codes_work_only_if_switched_on() {
    let said = both(
        |switches, on| switches.quick_connect = on,
        async |server| {
            let enabled = server.get("/QuickConnect/Enabled").value().await;
            json!([enabled, server.post("/QuickConnect/Initiate").send().await.status.as_u16()])
        },
    );
    assert_eq!(said.await, [json!([false, 401]), json!([true, 200])]);
}

#[tokio::test]
async fn seeds_give_the_same_ids_and_tokens() {
    let (one, other) = (JellyfinFixture::start().await, JellyfinFixture::start().await);
    assert_eq!(one.token("sam"), other.token("sam"));
    assert_eq!(one.token("sam").len(), 32);
    assert_eq!(item_id(one.items(MediaKind::Film)[0]), item_id(other.items(MediaKind::Film)[0]));
    one.leave().await;
    other.leave().await;
}
