//! Query of a list.

use super::order::{SortBy, SortDirection};
use crate::catalogue::MediaKind;
use crate::jellyfin::dto::kind_name;
use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::ident::{self, JellyfinId};
use crate::jellyfin::options::JellyfinSwitches;
use crate::jellyfin::params::JellyfinParams;
use crate::timestamp;

/// Types that the server knows and this one has none of: filtering by them finds nothing.
const ABSENT_TYPES: &[&str] = &[
    "AggregateFolder",
    "AudioBook",
    "BasePluginFolder",
    "Book",
    "Channel",
    "ChannelFolderItem",
    "Folder",
    "Genre",
    "ManualPlaylistsFolder",
    "LiveTvChannel",
    "LiveTvProgram",
    "MusicGenre",
    "MusicVideo",
    "Person",
    "Photo",
    "PhotoAlbum",
    "PlaylistsFolder",
    "Program",
    "Recording",
    "Studio",
    "Trailer",
    "TvChannel",
    "TvProgram",
    "UserRootFolder",
    "Video",
    "Year",
];

/// A requested type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemType {
    /// Items of a kind.
    Item(MediaKind),
    /// Playlists.
    Playlist,
    /// Libraries.
    Library,
    /// A type without items.
    Absent,
}

/// A parsed list query.
#[derive(Debug, Clone, Default)]
pub(crate) struct ItemQuery {
    pub(crate) parent: Option<JellyfinId>,
    pub(crate) ids: Option<Vec<JellyfinId>>,
    pub(crate) excluded_ids: Vec<JellyfinId>,
    pub(crate) recursive: bool,
    pub(crate) types: Vec<ItemType>,
    pub(crate) excluded_types: Vec<ItemType>,
    pub(crate) media_types: Vec<String>,
    pub(crate) search: Option<String>,
    pub(crate) played: Option<bool>,
    pub(crate) favourite: Option<bool>,
    pub(crate) resumable: bool,
    pub(crate) liked: Option<bool>,
    pub(crate) folder: Option<bool>,
    pub(crate) years: Vec<u16>,
    pub(crate) genres: Vec<String>,
    pub(crate) studios: Vec<String>,
    pub(crate) people: Vec<String>,
    pub(crate) artists: Vec<String>,
    pub(crate) named_ids: Vec<Vec<JellyfinId>>,
    pub(crate) artist_ids: Vec<JellyfinId>,
    pub(crate) album_ids: Vec<JellyfinId>,
    pub(crate) tags: Vec<String>,
    pub(crate) age_ratings: Vec<String>,
    pub(crate) least_community: Option<f64>,
    pub(crate) least_critic: Option<f64>,
    pub(crate) saved_since_ms: Option<u64>,
    pub(crate) user_saved_since_ms: Option<u64>,
    pub(crate) premiered: (Option<u64>, Option<u64>),
    pub(crate) starts_with: Option<String>,
    pub(crate) from_name: Option<String>,
    pub(crate) below_name: Option<String>,
    pub(crate) has_provider: Vec<(&'static str, bool)>,
    pub(crate) index: Option<u32>,
    pub(crate) parent_index: Option<u32>,
    pub(crate) series_status: Vec<String>,
    pub(crate) sort: Vec<(SortBy, SortDirection)>,
    pub(crate) start: usize,
    pub(crate) limit: Option<usize>,
    pub(crate) count: bool,
}

impl ItemQuery {
    /// Parses a query.
    pub(crate) fn from_params(params: &JellyfinParams, switches: &JellyfinSwitches) -> Result<Self, JellyfinError> {
        let mut asked = Self {
            parent: id(params, "parentid")?,
            ids: Some(ids(params, "ids")).filter(|ids| !ids.is_empty()),
            excluded_ids: ids(params, "excludeitemids"),
            recursive: params.flag("recursive")?.unwrap_or(false),
            types: types(params, "includeitemtypes"),
            excluded_types: types(params, "excludeitemtypes"),
            media_types: lower(params.list("mediatypes")),
            search: params.text("searchterm").map(|term| term.trim().to_lowercase()),
            played: params.flag("isplayed")?,
            favourite: params.flag("isfavorite")?,
            years: params.list("years").into_iter().filter_map(|year| year.parse().ok()).collect(),
            sort: sort(params),
            start: params.count("startindex")?.unwrap_or(0),
            limit: params.count("limit")?,
            count: params.flag("enabletotalrecordcount")?.unwrap_or(true),
            ..Self::default()
        };
        if switches.shows_without_episodes {
            let hidden = [MediaKind::Season, MediaKind::Episode].map(ItemType::Item);
            asked.excluded_types.extend(hidden);
        }
        asked.read_names(params, switches);
        asked.read_bounds(params)?;
        asked.read_filters(params);
        asked.imply(params)?;
        Ok(asked)
    }

    fn read_names(&mut self, params: &JellyfinParams, switches: &JellyfinSwitches) {
        let names = |name: &str| lower(params.names(name, switches.split_names_at_commas));
        self.genres = names("genres");
        self.studios = names("studios");
        self.artists = names("artists");
        self.tags = names("tags");
        self.age_ratings = names("officialratings");
        self.people = lower(params.text("person").into_iter().collect());
        self.series_status = lower(params.list("seriesstatus"));
        let groups = ["genreids", "studioids", "personids"].map(|name| ids(params, name));
        self.named_ids = groups.into_iter().filter(|group| !group.is_empty()).collect();
        self.artist_ids = ["artistids", "albumartistids", "contributingartistids"]
            .into_iter()
            .flat_map(|name| ids(params, name))
            .collect();
        self.album_ids = ids(params, "albumids");
    }

    fn read_bounds(&mut self, params: &JellyfinParams) -> Result<(), JellyfinError> {
        let instant = |name: &str| {
            params.text(name).map(|text| timestamp::read(text).ok_or_else(|| JellyfinError::invalid(name))).transpose()
        };
        let lowered = |name: &str| params.text(name).map(str::to_lowercase);
        let index = |name: &str| Ok(params.count(name)?.and_then(|index| u32::try_from(index).ok()));
        self.least_community = params.number("mincommunityrating")?;
        self.least_critic = params.number("mincriticrating")?;
        self.saved_since_ms = instant("mindatelastsaved")?;
        self.user_saved_since_ms = instant("mindatelastsavedforuser")?;
        self.premiered = (instant("minpremieredate")?, instant("maxpremieredate")?);
        self.starts_with = lowered("namestartswith");
        self.from_name = lowered("namestartswithorgreater");
        self.below_name = lowered("namelessthan");
        self.index = index("indexnumber")?;
        self.parent_index = index("parentindexnumber")?;
        for (name, source) in [("hasimdbid", "imdb"), ("hastmdbid", "tmdb"), ("hastvdbid", "tvdb")] {
            self.has_provider.extend(params.flag(name)?.map(|has| (source, has)));
        }
        Ok(())
    }

    fn read_filters(&mut self, params: &JellyfinParams) {
        for filter in lower(params.list("filters")) {
            match filter.as_str() {
                "isplayed" => self.played = Some(true),
                "isunplayed" => self.played = Some(false),
                "isfavorite" | "isfavoriteorlikes" => self.favourite = Some(true),
                "isresumable" => self.resumable = true,
                "likes" => self.liked = Some(true),
                "dislikes" => self.liked = Some(false),
                "isfolder" => self.folder = Some(true),
                "isnotfolder" => self.folder = Some(false),
                _ => {}
            }
        }
    }

    /// Applies what parameters imply for others.
    fn imply(&mut self, params: &JellyfinParams) -> Result<(), JellyfinError> {
        if params.flag("ismovie")? == Some(true) {
            self.types.push(ItemType::Item(MediaKind::Film));
        }
        if params.flag("isseries")? == Some(true) {
            self.types.push(ItemType::Item(MediaKind::Show));
        }
        // Types outside of libraries are searched everywhere.
        let nowhere = [ItemType::Playlist, ItemType::Item(MediaKind::Collection)];
        if self.parent.is_none() && !self.types.is_empty() && self.types.iter().all(|kind| nowhere.contains(kind)) {
            self.recursive = true;
        }
        Ok(())
    }

    /// Whether things of this type are requested.
    pub(crate) fn wants(&self, kind: ItemType) -> bool {
        let included = self.types.is_empty() || self.types.contains(&kind);
        included && !self.excluded_types.contains(&kind)
    }
}

/// An id parameter: absent, an id of something, or rejected if it is no id at all. The id of all zeroes is absent.
fn id(params: &JellyfinParams, name: &str) -> Result<Option<JellyfinId>, JellyfinError> {
    match params.text(name) {
        None => Ok(None),
        Some(text) if text.chars().all(|digit| matches!(digit, '0' | '-')) => Ok(None),
        Some(text) if ident::is_well_formed(text) => Ok(Some(JellyfinId::parse(text).unwrap_or(JellyfinId::NOTHING))),
        Some(_) => Err(JellyfinError::invalid(name)),
    }
}

fn ids(params: &JellyfinParams, name: &str) -> Vec<JellyfinId> {
    let read = |text| {
        if ident::is_well_formed(text) { Some(JellyfinId::parse(text).unwrap_or(JellyfinId::NOTHING)) } else { None }
    };
    params.list(name).into_iter().filter_map(read).collect()
}

fn types(params: &JellyfinParams, name: &str) -> Vec<ItemType> {
    params.list(name).into_iter().filter_map(type_named).collect()
}

/// The type with this name; unknown names are dropped, as the server does.
fn type_named(name: &str) -> Option<ItemType> {
    let kind = MediaKind::EVERY.into_iter().find(|kind| kind_name(*kind).eq_ignore_ascii_case(name));
    match kind {
        Some(kind) => Some(ItemType::Item(kind)),
        None if name.eq_ignore_ascii_case("Playlist") => Some(ItemType::Playlist),
        None if ["CollectionFolder", "UserView"].iter().any(|view| view.eq_ignore_ascii_case(name)) => {
            Some(ItemType::Library)
        }
        None => ABSENT_TYPES.iter().any(|absent| absent.eq_ignore_ascii_case(name)).then_some(ItemType::Absent),
    }
}

/// Sort keys in order. A key without a direction of its own takes the first direction given.
fn sort(params: &JellyfinParams) -> Vec<(SortBy, SortDirection)> {
    let orders: Vec<SortDirection> =
        params.list("sortorder").into_iter().filter_map(SortDirection::from_name).collect();
    let first = orders.first().copied().unwrap_or_default();
    let keys = params.list("sortby").into_iter().filter_map(SortBy::from_name);
    keys.enumerate().map(|(at, key)| (key, orders.get(at).copied().unwrap_or(first))).collect()
}

fn lower(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> ItemQuery {
        ItemQuery::from_params(&JellyfinParams::parse(query), &JellyfinSwitches::default()).expect("a sound query")
    }

    #[test]
    fn types_are_known_dropped_or_absent() {
        let types = asked("includeItemTypes=movie,Nonsense,Photo,Playlist").types;
        assert_eq!(types, [ItemType::Item(MediaKind::Film), ItemType::Absent, ItemType::Playlist]);
    }

    #[test]
    fn keys_without_an_order_take_the_first() {
        let sort = asked("sortBy=DateCreated,SortName,PlayCount&sortOrder=Descending,Ascending").sort;
        let orders: Vec<SortDirection> = sort.into_iter().map(|(_, order)| order).collect();
        assert_eq!(orders, [SortDirection::Descending, SortDirection::Ascending, SortDirection::Descending]);
    }

    #[test]
    fn filters_and_flags_meet() {
        assert_eq!(asked("filters=IsUnplayed").played, asked("isPlayed=false").played);
        assert_eq!(asked("Filters=IsFavorite,IsFolder").favourite, asked("isfavorite=True").favourite);
    }

    #[test]
    fn an_id_that_is_none_is_refused_and_zeroes_are_absent() {
        let read = |query: &str| ItemQuery::from_params(&JellyfinParams::parse(query), &JellyfinSwitches::default());
        assert!(read("parentId=music").is_err());
        assert!(asked("parentId=00000000-0000-0000-0000-000000000000").parent.is_none());
        assert_eq!(asked("parentId=0123456789abcdef0123456789abcdef").parent, Some(JellyfinId::NOTHING));
    }

    #[test]
    fn playlists_are_looked_for_everywhere() {
        assert!(asked("includeItemTypes=Playlist").recursive);
        assert!(!asked("includeItemTypes=Playlist,Movie").recursive);
    }
}
