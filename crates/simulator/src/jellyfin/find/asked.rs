//! What the query of a list asks for.

use super::order::{Order, SortBy};
use crate::catalogue::Kind;
use crate::jellyfin::dto::kind_name;
use crate::jellyfin::ident::{self, Ident};
use crate::jellyfin::options::Switches;
use crate::jellyfin::params::Params;
use crate::jellyfin::refusal::Refusal;
use crate::timestamp;

/// Types of things the server knows and this one has none of: asking for them finds nothing.
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

/// A wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// Items of a kind.
    Item(Kind),
    /// Playlists.
    Playlist,
    /// Libraries.
    Library,
    /// Something there is none of.
    Absent,
}

/// A list query, read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) parent: Option<Ident>,
    pub(crate) ids: Option<Vec<Ident>>,
    pub(crate) excluded_ids: Vec<Ident>,
    pub(crate) recursive: bool,
    pub(crate) types: Vec<Type>,
    pub(crate) excluded_types: Vec<Type>,
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
    pub(crate) named_ids: Vec<Vec<Ident>>,
    pub(crate) artist_ids: Vec<Ident>,
    pub(crate) album_ids: Vec<Ident>,
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
    pub(crate) sort: Vec<(SortBy, Order)>,
    pub(crate) start: usize,
    pub(crate) limit: Option<usize>,
    pub(crate) count: bool,
}

impl Asked {
    /// Reads a query.
    pub(crate) fn read(params: &Params, switches: &Switches) -> Result<Self, Refusal> {
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
        asked.read_names(params, switches);
        asked.read_bounds(params)?;
        asked.read_filters(params);
        asked.imply(params)?;
        Ok(asked)
    }

    fn read_names(&mut self, params: &Params, switches: &Switches) {
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

    fn read_bounds(&mut self, params: &Params) -> Result<(), Refusal> {
        let instant = |name: &str| {
            params
                .text(name)
                .map(|text| timestamp::read(text).ok_or_else(|| Refusal::invalid(name)))
                .transpose()
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

    fn read_filters(&mut self, params: &Params) {
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

    /// What follows from other parameters.
    fn imply(&mut self, params: &Params) -> Result<(), Refusal> {
        if params.flag("ismovie")? == Some(true) {
            self.types.push(Type::Item(Kind::Film));
        }
        if params.flag("isseries")? == Some(true) {
            self.types.push(Type::Item(Kind::Show));
        }
        // Things that lie nowhere in particular are looked for everywhere.
        let nowhere = [Type::Playlist, Type::Item(Kind::Collection)];
        if self.parent.is_none()
            && !self.types.is_empty()
            && self.types.iter().all(|kind| nowhere.contains(kind))
        {
            self.recursive = true;
        }
        Ok(())
    }

    /// Whether things of this type are wanted.
    pub(crate) fn wants(&self, kind: Type) -> bool {
        let included = self.types.is_empty() || self.types.contains(&kind);
        included && !self.excluded_types.contains(&kind)
    }
}

/// An id parameter: absent, an id of something, or refused if it is no id at all. The id of all zeroes is absent.
fn id(params: &Params, name: &str) -> Result<Option<Ident>, Refusal> {
    match params.text(name) {
        None => Ok(None),
        Some(text) if text.chars().all(|digit| matches!(digit, '0' | '-')) => Ok(None),
        Some(text) if ident::is_well_formed(text) => Ok(Some(Ident::read(text).unwrap_or(Ident::NOTHING))),
        Some(_) => Err(Refusal::invalid(name)),
    }
}

fn ids(params: &Params, name: &str) -> Vec<Ident> {
    let read = |text| {
        if ident::is_well_formed(text) { Some(Ident::read(text).unwrap_or(Ident::NOTHING)) } else { None }
    };
    params.list(name).into_iter().filter_map(read).collect()
}

fn types(params: &Params, name: &str) -> Vec<Type> {
    params.list(name).into_iter().filter_map(type_named).collect()
}

/// The type with this name; names that are none are dropped, as the server does.
fn type_named(name: &str) -> Option<Type> {
    let kind = Kind::EVERY.into_iter().find(|kind| kind_name(*kind).eq_ignore_ascii_case(name));
    match kind {
        Some(kind) => Some(Type::Item(kind)),
        None if name.eq_ignore_ascii_case("Playlist") => Some(Type::Playlist),
        None if ["CollectionFolder", "UserView"].iter().any(|view| view.eq_ignore_ascii_case(name)) => {
            Some(Type::Library)
        }
        None => ABSENT_TYPES.iter().any(|absent| absent.eq_ignore_ascii_case(name)).then_some(Type::Absent),
    }
}

/// Keys in order. A key without an order of its own takes the first order given.
fn sort(params: &Params) -> Vec<(SortBy, Order)> {
    let orders: Vec<Order> = params.list("sortorder").into_iter().filter_map(Order::named).collect();
    let first = orders.first().copied().unwrap_or_default();
    let keys = params.list("sortby").into_iter().filter_map(SortBy::named);
    keys.enumerate().map(|(at, key)| (key, orders.get(at).copied().unwrap_or(first))).collect()
}

fn lower(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        Asked::read(&Params::parse(query), &Switches::default()).expect("a sound query")
    }

    #[test]
    fn types_are_known_dropped_or_absent() {
        let types = asked("includeItemTypes=movie,Nonsense,Photo&IncludeItemTypes=Playlist").types;
        assert_eq!(types, [Type::Item(Kind::Film), Type::Absent, Type::Playlist]);
    }

    #[test]
    fn keys_without_an_order_take_the_first() {
        let sort = asked("sortBy=DateCreated,SortName,PlayCount&sortOrder=Descending,Ascending").sort;
        let orders: Vec<Order> = sort.into_iter().map(|(_, order)| order).collect();
        assert_eq!(orders, [Order::Descending, Order::Ascending, Order::Descending]);
    }

    #[test]
    fn filters_and_flags_meet() {
        assert_eq!(asked("filters=IsUnplayed").played, asked("isPlayed=false").played);
        assert_eq!(asked("Filters=IsFavorite,IsFolder").favourite, asked("isfavorite=True").favourite);
    }

    #[test]
    fn an_id_that_is_none_is_refused_and_zeroes_are_absent() {
        let read = |query: &str| Asked::read(&Params::parse(query), &Switches::default());
        assert!(read("parentId=music").is_err());
        assert!(asked("parentId=00000000-0000-0000-0000-000000000000").parent.is_none());
        assert_eq!(asked("parentId=0123456789abcdef0123456789abcdef").parent, Some(Ident::NOTHING));
    }

    #[test]
    fn playlists_are_looked_for_everywhere() {
        assert!(asked("includeItemTypes=Playlist").recursive);
        assert!(!asked("includeItemTypes=Playlist,Movie").recursive);
    }
}
