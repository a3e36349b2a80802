//! Reads about what extends the server: plugins and their packages, channels, and the settings a library may have.
//! Plugins' own pages, and texts that are fetched from elsewhere, pass through.

use super::items::composed;
use super::server::server;
use super::{JellyfinRoute, RouteBody};
use crate::class::Class;
use crate::jellyfin::guid;
use crate::tag::Tag;

pub(super) fn find(lowercase: &[&str], raw: &[&str]) -> Option<JellyfinRoute> {
    Some(match lowercase {
        ["plugins"] => server(&["Plugins"], Class::Server),
        ["plugins", id, version, "image"] => {
            server(&["Plugins", &guid::normalize(id), version, "Image"], Class::Assets).with_body(RouteBody::Opaque)
        }
        ["packages"] => server(&["Packages"], Class::Server),
        ["packages", _] => server(&["Packages", raw[1]], Class::Server),
        ["repositories"] => server(&["Repositories"], Class::Server),
        ["web", "configurationpages"] => server(&["web", "ConfigurationPages"], Class::Server),
        ["libraries", "availableoptions"] => server(&["Libraries", "AvailableOptions"], Class::Server),
        ["channels"] => JellyfinRoute::new(&["Channels"], Class::Lists).personal().with_tags([Tag::libraries()]),
        ["channels", "features"] => server(&["Channels", "Features"], Class::Server),
        ["channels", "items", "latest"] => composed(&["Channels", "Items", "Latest"], Class::Recent),
        ["channels", id, "features"] => server(&["Channels", &guid::normalize(id), "Features"], Class::Server),
        ["channels", id, "items"] => {
            let id = guid::normalize(id);
            composed(&["Channels", &id, "Items"], Class::Hubs).with_tags([Tag::item(&id)])
        }
        _ => return None,
    })
}
