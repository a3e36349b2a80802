//! Libraries: as views of a user, and as the administrator sees them.

use http::Method;
use serde_json::{Value, json};

use super::Outcome;
use crate::catalogue::Section;
use crate::jellyfin::ask::Ask;
use crate::jellyfin::dto::{self, Shape};
use crate::jellyfin::house::run_task;
use crate::jellyfin::library::Library;
use crate::jellyfin::refusal::Refusal;
use crate::jellyfin::reply::Reply;
use crate::jellyfin::scene::Scene;
use crate::jellyfin::tasks::SCAN;

/// `/UserViews`.
pub(super) fn views(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    match (&ask.method, rest) {
        (&Method::GET, []) => shown(ask),
        (&Method::GET, ["groupingoptions"]) => grouping(ask),
        _ => Err(Refusal::NotFound),
    }
}

/// `/Library`.
pub(super) fn answer(ask: &Ask<'_>, rest: &[&str]) -> Outcome {
    match (&ask.method, rest) {
        (&Method::GET, ["virtualfolders"]) => virtual_folders(ask),
        (&Method::GET, ["mediafolders"]) => media_folders(ask),
        (&Method::GET, ["physicalpaths"]) => {
            ask.admin()?;
            Ok(Reply::json(json!(Section::EVERY.map(Section::folder))))
        }
        (&Method::POST, ["refresh"]) => {
            ask.admin()?;
            run_task(ask.house, ask.ground, SCAN, ask.now_ms);
            Ok(Reply::nothing())
        }
        (&Method::POST, ["media", "updated"]) => {
            ask.caller()?;
            run_task(ask.house, ask.ground, SCAN, ask.now_ms);
            Ok(Reply::nothing())
        }
        _ => Err(Refusal::NotFound),
    }
}

/// What a library is called in the reader's language, where the server localises.
pub(super) fn name_for(scene: &Scene<'_>, library: Library, language: &str) -> &'static str {
    if scene.switches.localized_names && language.starts_with("de") {
        library.german_name()
    } else {
        library.name()
    }
}

fn shown(ask: &Ask<'_>) -> Outcome {
    let user = ask.some_user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, Some(user));
    let language = ask.language();
    let rows: Vec<Value> = Library::EVERY
        .into_iter()
        .filter(|library| library.shown(&scene))
        .map(|library| dto::library(&scene, library, name_for(&scene, library, &language), &Shape::whole()))
        .map(Value::Object)
        .collect();
    let total = rows.len();
    Ok(super::lists::paged(ask, rows, Some(total), 0))
}

fn grouping(ask: &Ask<'_>) -> Outcome {
    let user = ask.some_user()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, Some(user));
    let shown =
        Library::EVERY.into_iter().filter(|library| library.section().is_some() && library.shown(&scene));
    Ok(Reply::json(
        shown.map(|library| json!({"Name": library.name(), "Id": library.id().hex()})).collect::<Value>(),
    ))
}

fn media_folders(ask: &Ask<'_>) -> Outcome {
    ask.admin()?;
    let view = ask.ground.state.view();
    let scene = ask.scene(&view, None);
    let row =
        |library: Library| Value::Object(dto::library(&scene, library, library.name(), &Shape::whole()));
    let rows: Vec<Value> = Library::EVERY.into_iter().map(row).collect();
    let total = rows.len();
    Ok(super::lists::paged(ask, rows, Some(total), 0))
}

fn virtual_folders(ask: &Ask<'_>) -> Outcome {
    ask.admin()?;
    let view = ask.ground.state.view();
    ask.scene(&view, None);
    let scanning = ask.house.tasks.scan_progress(ask.now_ms);
    let row = |section: Section| {
        let library = Library::Of(section);
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
    Ok(Reply::json(Section::EVERY.into_iter().map(row).collect::<Value>()))
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
