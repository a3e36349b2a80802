//! Requested parts of an item: the optional fields, images and user data.

use crate::jellyfin::error::JellyfinError;
use crate::jellyfin::params::JellyfinParams;

/// The known optional fields. Names outside this list are dropped, as the server does.
const KNOWN: &[&str] = &[
    "AirTime",
    "CanDelete",
    "CanDownload",
    "ChannelInfo",
    "Chapters",
    "ChildCount",
    "CumulativeRunTimeTicks",
    "CustomRating",
    "DateCreated",
    "DateLastMediaAdded",
    "DisplayPreferencesId",
    "EnableMediaSourceDisplay",
    "Etag",
    "ExternalUrls",
    "Genres",
    "Height",
    "IsHD",
    "ItemCounts",
    "LocalTrailerCount",
    "MediaSourceCount",
    "MediaSources",
    "MediaStreams",
    "OriginalTitle",
    "Overview",
    "ParentId",
    "Path",
    "People",
    "PlayAccess",
    "PrimaryImageAspectRatio",
    "ProductionLocations",
    "ProviderIds",
    "RecursiveItemCount",
    "RemoteTrailers",
    "SeriesStudio",
    "Settings",
    "SortName",
    "SpecialFeatureCount",
    "Studios",
    "Taglines",
    "Tags",
    "Width",
];

/// Parts of clients' names, in lower case, to which lists show both counts of descendants.
const COUNTING: [&str; 4] = ["kodi", "wmc", "media center", "classic"];

/// The same for the count of children alone.
const CHILD_COUNTING: [&str; 3] = ["roku", "samsung", "androidtv"];

/// Fields that a list has for a client of this name, requested or not.
pub(crate) fn client_fields(client: &str) -> &'static [&'static str] {
    let client = client.to_lowercase();
    if COUNTING.iter().any(|part| client.contains(part)) {
        &["RecursiveItemCount", "ChildCount"]
    } else if CHILD_COUNTING.iter().any(|part| client.contains(part)) {
        &["ChildCount"]
    } else {
        &[]
    }
}

/// Parts to include in an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSelection {
    fields: FieldFilter,
    /// Whether to include image tags.
    pub(crate) images: bool,
    /// Maximum number of backdrops.
    pub(crate) backdrops: usize,
    image_types: Vec<String>,
    /// Whether to include the user's state.
    pub(crate) user_data: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FieldFilter {
    All,
    Only(Vec<&'static str>),
}

impl FieldSelection {
    /// Everything: for a single item.
    pub(crate) fn all() -> Self {
        Self { fields: FieldFilter::All, images: true, backdrops: usize::MAX, image_types: Vec::new(), user_data: true }
    }

    /// Removes the user's state.
    pub(crate) fn without_user_data(self) -> Self {
        Self { user_data: false, ..self }
    }

    /// Parts requested by the query of a list.
    pub(crate) fn from_params(params: &JellyfinParams) -> Result<Self, JellyfinError> {
        let mut wanted = params.list("fields");
        wanted.extend(params.client_fields);
        let known = KNOWN.iter().copied().filter(|field| wanted.iter().any(|name| name.eq_ignore_ascii_case(field)));
        Ok(Self {
            fields: FieldFilter::Only(known.collect()),
            images: params.flag("enableimages")?.unwrap_or(true),
            backdrops: params.count("imagetypelimit")?.unwrap_or(usize::MAX),
            image_types: params.list("enableimagetypes").into_iter().map(str::to_ascii_lowercase).collect(),
            user_data: params.flag("enableuserdata")?.unwrap_or(true),
        })
    }

    /// Whether to include the optional field `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        debug_assert!(KNOWN.contains(&name), "{name} is not a known field");
        match &self.fields {
            FieldFilter::All => true,
            FieldFilter::Only(fields) => fields.contains(&name),
        }
    }

    /// Whether to include tags of images of this type.
    pub(crate) fn wants_image(&self, kind: &str) -> bool {
        self.images
            && self.backdrops > 0
            && (self.image_types.is_empty() || self.image_types.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> FieldSelection {
        FieldSelection::from_params(&JellyfinParams::parse(query)).expect("a sound query")
    }

    #[test]
    fn fields_are_known_without_case_and_in_both_list_forms() {
        let joined = asked("fields=path,GENRES,Nonsense");
        assert!(joined.has("Path") && joined.has("Genres") && !joined.has("Overview"));
        assert_eq!(joined, asked("Fields=Genres&fields=Path"));
    }

    #[test]
    fn images_can_be_limited_by_type_and_number() {
        assert!(asked("").wants_image("Backdrop"));
        assert!(!asked("enableImages=false").wants_image("Primary"));
        assert!(!asked("imageTypeLimit=0").wants_image("Primary"));
        let primary = asked("enableImageTypes=primary");
        assert!(primary.wants_image("Primary") && !primary.wants_image("Thumb"));
    }

    #[test]
    fn some_clients_get_counts_unasked() {
        let adds = |client: &str| client_fields(client).len();
        assert_eq!((adds("Kodi"), adds("Jellyfin for Roku"), adds("Jellyfin Web")), (2, 1, 0));
        assert_eq!((adds("Windows Media Center"), adds("AndroidTV"), adds("Jellyfin Android TV")), (2, 1, 0));
        let mut params = JellyfinParams::parse("fields=Path");
        params.client_fields = client_fields("Kodi");
        let selected = FieldSelection::from_params(&params).expect("a sound query");
        assert!(selected.has("Path") && selected.has("ChildCount") && selected.has("RecursiveItemCount"));
    }

    #[test]
    fn a_single_item_has_everything() {
        assert!(FieldSelection::all().has("MediaSources") && FieldSelection::all().user_data);
    }
}
