//! Which parts of an item a client wants: the optional fields, images and user data.

use crate::jellyfin::params::Params;
use crate::jellyfin::refusal::Refusal;

/// The optional fields that are known. Names outside this list are dropped, as the server does.
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

/// What to put into an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    fields: Fields,
    /// Whether image tags are wanted.
    pub(crate) images: bool,
    /// How many backdrops at the most.
    pub(crate) backdrops: usize,
    image_types: Vec<String>,
    /// Whether the state of the user is wanted.
    pub(crate) user_data: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fields {
    All,
    Only(Vec<&'static str>),
}

impl Shape {
    /// Everything: what a single item is sent with.
    pub(crate) fn whole() -> Self {
        Self {
            fields: Fields::All,
            images: true,
            backdrops: usize::MAX,
            image_types: Vec::new(),
            user_data: true,
        }
    }

    /// The same without the state of the user.
    pub(crate) fn without_user_data(self) -> Self {
        Self { user_data: false, ..self }
    }

    /// What the query of a list asks for.
    pub(crate) fn asked(params: &Params) -> Result<Self, Refusal> {
        let wanted = params.list("fields");
        let known =
            KNOWN.iter().copied().filter(|field| wanted.iter().any(|name| name.eq_ignore_ascii_case(field)));
        Ok(Self {
            fields: Fields::Only(known.collect()),
            images: params.flag("enableimages")?.unwrap_or(true),
            backdrops: params.count("imagetypelimit")?.unwrap_or(usize::MAX),
            image_types: params.list("enableimagetypes").into_iter().map(str::to_ascii_lowercase).collect(),
            user_data: params.flag("enableuserdata")?.unwrap_or(true),
        })
    }

    /// Whether the optional field `name` is wanted.
    pub(crate) fn has(&self, name: &str) -> bool {
        debug_assert!(KNOWN.contains(&name), "{name} is not a known field");
        match &self.fields {
            Fields::All => true,
            Fields::Only(fields) => fields.contains(&name),
        }
    }

    /// Whether tags of images of this type are wanted.
    pub(crate) fn wants_image(&self, kind: &str) -> bool {
        self.images
            && self.backdrops > 0
            && (self.image_types.is_empty()
                || self.image_types.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Shape {
        Shape::asked(&Params::parse(query)).expect("a sound query")
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
    fn a_single_item_has_everything() {
        assert!(Shape::whole().has("MediaSources") && Shape::whole().user_data);
    }
}
