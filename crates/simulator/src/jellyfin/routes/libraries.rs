//! Libraries: as views of a user, and for the administrator.

use http::Method;
use serde_json::{Value, json};

use super::{RouteResult, user_configuration};
use crate::catalogue::Section;
use crate::jellyfin::dto::{self, FieldSelection};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::library::JellyfinLibrary;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::jellyfin::response_context::ResponseContext;
use crate::jellyfin::server::{SocketEvent, run_task};
use crate::jellyfin::tasks::SCAN;

/// `/UserViews`.
pub(super) fn views(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    match (&ask.method, rest) {
        (&Method::GET, []) => visible_views(ask),
        (&Method::GET, ["groupingoptions"]) => grouping(ask),
        _ => Err(JellyfinError::NotFound),
    }
}

/// `/Library`.
pub(super) fn answer(ask: &JellyfinRequest<'_>, rest: &[&str]) -> RouteResult {
    match (&ask.method, rest) {
        (&Method::GET, ["virtualfolders"]) => virtual_folders(ask),
        (&Method::POST, ["virtualfolders"]) => set_library(ask, false),
        (&Method::DELETE, ["virtualfolders"]) => set_library(ask, true),
        (&Method::GET, ["mediafolders"]) => media_folders(ask),
        (&Method::GET, ["physicalpaths"]) => {
            ask.admin()?;
            Ok(JellyfinResponse::json(json!(Section::EVERY.map(Section::folder))))
        }
        (&Method::POST, ["refresh"]) => {
            ask.admin()?;
            run_task(ask.server, ask.context, SCAN, ask.now_ms);
            Ok(JellyfinResponse::no_content())
        }
        (&Method::POST, ["media", "updated"]) => {
            ask.caller()?;
            run_task(ask.server, ask.context, SCAN, ask.now_ms);
            Ok(JellyfinResponse::no_content())
        }
        _ => Err(JellyfinError::NotFound),
    }
}

/// Removes the library with this name, or adds it again. Its items are neither announced nor deleted one by one: a
/// socket tells only that something changed.
fn set_library(ask: &JellyfinRequest<'_>, removed: bool) -> RouteResult {
    ask.admin()?;
    let name = ask.params.text("name").ok_or_else(|| JellyfinError::invalid("name"))?;
    let section = Section::EVERY.into_iter().find(|section| section.title() == name).ok_or(JellyfinError::NotFound)?;
    let user = ask.caller()?.grant.user;
    ask.write(user, |_| ask.server.removed_sections.set(section, removed));
    ask.server.notify(SocketEvent::LibrariesChanged);
    Ok(JellyfinResponse::no_content())
}

/// Name of a library in the client's language, where the server localizes.
pub(super) fn name_for(scene: &ResponseContext<'_>, library: JellyfinLibrary, language: &str) -> &'static str {
    if scene.switches.localized_names && language.starts_with("de") { library.german_name() } else { library.name() }
}

fn visible_views(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.some_user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    let language = ask.language();
    let mut shown: Vec<JellyfinLibrary> =
        JellyfinLibrary::EVERY.into_iter().filter(|library| library.is_visible(&scene)).collect();
    if !ask.params.flag("includehidden")?.unwrap_or(false) {
        shown = user_configuration::arranged(ask, user, shown);
    }
    let rows: Vec<Value> = shown
        .into_iter()
        .map(|library| dto::library(&scene, library, name_for(&scene, library, &language), &FieldSelection::all()))
        .map(Value::Object)
        .collect();
    let total = rows.len();
    Ok(super::lists::paged(ask, rows, Some(total), 0))
}

fn grouping(ask: &JellyfinRequest<'_>) -> RouteResult {
    let user = ask.some_user()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, Some(user));
    let shown =
        JellyfinLibrary::EVERY.into_iter().filter(|library| library.section().is_some() && library.is_visible(&scene));
    Ok(JellyfinResponse::json(
        shown.map(|library| json!({"Name": library.name(), "Id": library.id().hex()})).collect::<Value>(),
    ))
}

fn media_folders(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.admin()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, None);
    let row =
        |library: JellyfinLibrary| Value::Object(dto::library(&scene, library, library.name(), &FieldSelection::all()));
    let rows: Vec<Value> =
        JellyfinLibrary::EVERY.into_iter().filter(|library| library.is_visible(&scene)).map(row).collect();
    let total = rows.len();
    Ok(super::lists::paged(ask, rows, Some(total), 0))
}

fn virtual_folders(ask: &JellyfinRequest<'_>) -> RouteResult {
    ask.admin()?;
    let view = ask.context.state.view();
    let scene = ask.response_context(&view, None);
    let scanning = ask.server.tasks.scan_progress(ask.now_ms);
    let row = |section: Section| {
        let library = JellyfinLibrary::Section(section);
        let scanning = scanning.or_else(|| view.stamps(section).refreshing.then_some(super::tasks::HALFWAY));
        let mut row = json!({
            "Name": library.name(),
            "Locations": [section.folder()],
            "CollectionType": library.collection_type(),
            "LibraryOptions": options(section),
            "ItemId": library.id().hex(),
            "PrimaryImageItemId": library.id().hex(),
            "RefreshStatus": if scanning.is_some() { "Active" } else { "Idle" },
        });
        if let Some(progress) = scanning {
            row["RefreshProgress"] = json!(progress);
        }
        row
    };
    Ok(JellyfinResponse::json(scene.sections().into_iter().map(row).collect::<Value>()))
}

fn options(section: Section) -> Value {
    json!({
        "Enabled": true,
        "EnablePhotos": true,
        "EnableRealtimeMonitor": true,
        "EnableLUFSScan": section == Section::Music,
        "EnableChapterImageExtraction": false,
        "ExtractChapterImagesDuringLibraryScan": false,
        "EnableTrickplayImageExtraction": false,
        "ExtractTrickplayImagesDuringLibraryScan": false,
        "PathInfos": [{"Path": section.folder()}],
        "SaveLocalMetadata": false,
        "EnableInternetProviders": true,
        "EnableAutomaticSeriesGrouping": false,
        "EnableEmbeddedTitles": false,
        "EnableEmbeddedExtrasTitles": false,
        "EnableEmbeddedEpisodeInfos": false,
        "AutomaticRefreshIntervalDays": 0,
        "PreferredMetadataLanguage": "en",
        "MetadataCountryCode": "US",
        "SeasonZeroDisplayName": "Specials",
        "DisabledLocalMetadataReaders": [],
        "DisabledSubtitleFetchers": [],
        "SubtitleFetcherOrder": [],
        "SkipSubtitlesIfEmbeddedSubtitlesPresent": false,
        "SkipSubtitlesIfAudioTrackMatches": false,
        "RequirePerfectSubtitleMatch": true,
        "SaveSubtitlesWithMedia": true,
        "AutomaticallyAddToCollection": false,
        "AllowEmbeddedSubtitles": "AllowAll",
        "TypeOptions": [],
    })
}
