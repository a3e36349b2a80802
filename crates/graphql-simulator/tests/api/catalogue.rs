//! Projects, seasons, episodes and their images.

use http::Method;
use serde_json::{Value, json};

use crate::harness::GraphQlFixture;

const PROJECT: &str = "query Project($slug: String!) { project(slug: $slug) { id slug name projectType seasonCount
    seasons { id number episodes { guid name number seasonNumber next { guid } project { slug } } } } }";

#[tokio::test]
async fn the_menu_leads_to_projects_and_those_to_seasons_and_episodes() {
    let server = GraphQlFixture::quick().await;
    let menu = server.data("query Menu { projects { slug name projectType } }", Value::Null).await;
    assert_eq!(menu["projects"].as_array().unwrap().len(), 34);
    let series = server.data("{ projects(projectType: series) { slug } }", Value::Null).await;
    assert_eq!(series["projects"].as_array().unwrap().len(), 4);
    for row in menu["projects"].as_array().unwrap() {
        let project = &server.data(PROJECT, json!({"slug": row["slug"]})).await["project"];
        assert_eq!((&project["slug"], &project["name"]), (&row["slug"], &row["name"]));
        let seasons = project["seasons"].as_array().unwrap();
        assert_eq!(project["seasonCount"], seasons.len());
        let episodes: Vec<&Value> = seasons.iter().flat_map(|season| season["episodes"].as_array().unwrap()).collect();
        let size = if row["projectType"] == "movie" { (1, 1) } else { (2, 6) };
        assert_eq!((seasons.len(), episodes.len()), size);
        for (at, episode) in episodes.iter().enumerate() {
            assert_eq!(episode["project"]["slug"], row["slug"]);
            let next = episodes.get(at + 1).map_or(&Value::Null, |next| &next["guid"]);
            assert_eq!(episode["next"].get("guid").unwrap_or(&Value::Null), next);
        }
    }
    server.done().await;
}

#[tokio::test]
async fn episodes_are_found_in_the_order_asked_and_unknown_ones_are_left_out() {
    let server = GraphQlFixture::quick().await;
    let all = server.data("{ projects { seasons { episodes { guid } } } }", Value::Null).await;
    let guid = |project: usize| &all["projects"][project]["seasons"][0]["episodes"][0]["guid"];
    let asked = json!({"guids": [guid(5), "00000001-0000-0000-0000-000000000000", "x", guid(0)]});
    let found = server.data("query E($guids: [ID!]!) { episodes(guids: $guids) { guid } }", asked).await;
    assert_eq!(found["episodes"], json!([{"guid": guid(5)}, {"guid": guid(0)}]));
    let none =
        server.data("{ project(slug: \"no-such-9999\") { name } episode(guid: \"é\") { guid } }", json!({})).await;
    assert_eq!(none, json!({"project": null, "episode": null}));
    server.done().await;
}

#[tokio::test]
async fn a_user_does_not_see_what_is_not_shared_with_them() {
    let server = GraphQlFixture::quick().await;
    let series = server.data("{ projects(projectType: series) { slug } }", Value::Null).await;
    let slug = &series["projects"][0]["slug"];
    let kim = server.data_of("gql-kim", "{ projects { projectType } }", Value::Null).await;
    assert!(kim["projects"].as_array().unwrap().iter().all(|project| project["projectType"] == "movie"));
    let project = server.data_of("gql-kim", PROJECT, json!({"slug": slug})).await;
    assert_eq!(project["project"], Value::Null);
    server.done().await;
}

#[tokio::test]
async fn images_and_media_are_where_the_api_says() {
    let server = GraphQlFixture::quick().await;
    let data = server
        .data("{ projects { posterUrl backdropUrl seasons { episodes { posterUrl source { url } } } } }", Value::Null)
        .await;
    let project = &data["projects"][0];
    let episode = &project["seasons"][0]["episodes"][0];
    let links = [
        (&project["posterUrl"], "image/jpeg"),
        (&project["backdropUrl"], "image/jpeg"),
        (&episode["posterUrl"], "image/jpeg"),
        (&episode["source"]["url"], "video/mp4"),
    ];
    for (url, expected) in links {
        let target = url.as_str().unwrap().strip_prefix(&server.running.url()).unwrap();
        let (status, kind, bytes) = server.send(Method::GET, target, None, "").await;
        assert_eq!((status, kind.as_str(), bytes.is_empty()), (200, expected, false), "{url}");
    }
    for target in ["/images/poster/x.jpg", "/images/other/1.jpg", "/media/x.mp4", "/nowhere"] {
        assert_eq!(server.send(Method::GET, target, None, "").await.0, 404, "{target}");
    }
    server.done().await;
}
