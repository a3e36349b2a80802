//! Plugins, their pages and packages, and what libraries can be set to. One plugin, no packages and no channels.

use http::Method;
use http::header::CONTENT_DISPOSITION;
use serde_json::json;

use super::{RouteResult, lists};
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::request::JellyfinRequest;
use crate::jellyfin::response::JellyfinResponse;
use crate::picture::{Colour, ImageFormat, painted};

/// Id of the plugin.
const PLUGIN: &str = "a629c0dafac54c7e931a7174223f14c8";
/// Its version, which is in the address of its image.
const PLUGIN_VERSION: &str = "10.11.0.0";

/// Everything below `/Plugins`, `/Packages`, `/Repositories`, `/Channels` and `/Libraries`, and the list of pages.
pub(super) fn answer(ask: &JellyfinRequest<'_>, parts: &[&str]) -> RouteResult {
    if ask.method != Method::GET {
        return Err(JellyfinError::WrongMethod);
    }
    match parts {
        ["plugins", PLUGIN, PLUGIN_VERSION, "image"] => return Ok(image()),
        ["plugins" | "packages" | "repositories"] | ["web", "configurationpages"] => ask.admin()?,
        _ => {
            ask.caller()?;
        }
    }
    match parts {
        ["plugins"] => Ok(JellyfinResponse::json(json!([{
            "Name": "AudioDB",
            "Version": PLUGIN_VERSION,
            "ConfigurationFileName": "Jellyfin.Plugin.AudioDb.xml",
            "Description": "Get artist and album metadata or images from AudioDB.",
            "Id": PLUGIN,
            "CanUninstall": false,
            "HasImage": true,
            "Status": "Active",
        }]))),
        ["repositories"] => Ok(JellyfinResponse::json(json!([{
            "Name": "Jellyfin Stable",
            "Url": "https://repository.example/manifest.json",
            "Enabled": true,
        }]))),
        ["web", "configurationpages"] => Ok(JellyfinResponse::json(json!([{
            "Name": "AudioDB",
            "EnableInMainMenu": false,
            "DisplayName": "AudioDB",
            "PluginId": PLUGIN,
        }]))),
        ["libraries", "availableoptions"] => Ok(JellyfinResponse::json(json!({
            "MetadataSavers": [{"Name": "Nfo", "DefaultEnabled": false}],
            "MetadataReaders": [{"Name": "Nfo", "DefaultEnabled": true}],
            "SubtitleFetchers": [],
            "LyricFetchers": [],
            "MediaSegmentProviders": [],
            "TypeOptions": [],
        }))),
        ["packages"] | ["channels", "features"] => Ok(JellyfinResponse::json(json!([]))),
        ["channels"] | ["channels", "items", "latest"] => Ok(lists::paged(ask, Vec::new(), Some(0), 0)),
        _ => Err(JellyfinError::NotFound),
    }
}

fn image() -> JellyfinResponse {
    let colour = Colour { red: 47, green: 79, blue: 111 };
    let mut image = JellyfinResponse::bytes(ImageFormat::Png.content_type(), painted(ImageFormat::Png, 64, 64, colour));
    image.put(CONTENT_DISPOSITION, "attachment");
    image
}
