//! Values of the fields of a query.

use serde_json::{Map, Value, json};

use super::caller::GraphQlCaller;
use super::error::GraphQlError;
use super::execution::{FieldResolver, FieldValue};
use super::object::{GraphQlObject, ResumePage, guid, item_of_guid, item_of_slug, project_type, slug};
use crate::catalogue::{ItemId, ItemRecord, MediaKind};
use crate::state::{StateView, WatchState};

/// Rows of a page if the caller does not say.
const DEFAULT_PAGE_ROWS: u64 = 10;
/// Episodes that may be asked for at once.
const MAX_EPISODES: usize = 500;

type FieldResult = Result<FieldValue, GraphQlError>;
type Arguments = Map<String, Value>;

/// Resolves the fields of one operation against one moment of the state.
pub(super) struct QueryResolver<'a> {
    pub(super) view: StateView<'a>,
    pub(super) caller: &'a GraphQlCaller,
    /// Address of this server as the caller knows it, for links.
    pub(super) base_url: &'a str,
}

impl FieldResolver for QueryResolver<'_> {
    fn field(&mut self, object: &GraphQlObject, name: &str, arguments: &Arguments) -> FieldResult {
        match object {
            GraphQlObject::Query => self.query(name, arguments),
            GraphQlObject::Mutation => Err(unknown(object, name)),
            GraphQlObject::Account => self.account(name),
            GraphQlObject::Project(item) => self.project(*item, name),
            GraphQlObject::Season(item) => self.season(*item, name),
            GraphQlObject::Episode(item) => self.episode(*item, name),
            GraphQlObject::WatchData(item) => self.watch_data(*item, name),
            GraphQlObject::Source(item) => self.source(*item, name),
            GraphQlObject::ResumeConnection(page) => Ok(match name {
                "edges" => FieldValue::List(page.items.iter().map(|item| GraphQlObject::ResumeEdge(*item)).collect()),
                "pageInfo" => FieldValue::Object(GraphQlObject::PageInfo(page.clone())),
                _ => return Err(unknown(object, name)),
            }),
            GraphQlObject::ResumeEdge(item) => Ok(match name {
                "node" => FieldValue::Object(GraphQlObject::Episode(*item)),
                "cursor" => self.guid(*item).into(),
                _ => return Err(unknown(object, name)),
            }),
            GraphQlObject::PageInfo(page) => Ok(match name {
                "hasNextPage" => page.has_more.into(),
                "endCursor" => page.items.last().map(|item| self.guid(*item)).into(),
                _ => return Err(unknown(object, name)),
            }),
        }
    }
}

/// The error for a field that a type does not have.
pub(super) fn unknown(object: &GraphQlObject, name: &str) -> GraphQlError {
    GraphQlError::invalid(format!("Cannot query field \"{name}\" on type \"{}\".", object.type_name()))
}

impl QueryResolver<'_> {
    fn query(&self, name: &str, arguments: &Arguments) -> FieldResult {
        match name {
            "me" => Ok(match self.caller {
                GraphQlCaller::Anonymous => Value::Null.into(),
                GraphQlCaller::User(_) => FieldValue::Object(GraphQlObject::Account),
            }),
            "projects" => self.projects(arguments),
            "project" => {
                let slug = text(arguments, "slug")?;
                let item = item_of_slug(slug).filter(|item| self.sees(*item, &[MediaKind::Show, MediaKind::Film]));
                Ok(item.map_or(Value::Null.into(), |item| FieldValue::Object(GraphQlObject::Project(item))))
            }
            "episode" => {
                let item = self.playable(text(arguments, "guid")?);
                Ok(item.map_or(Value::Null.into(), |item| FieldValue::Object(GraphQlObject::Episode(item))))
            }
            "episodes" => {
                let asked = arguments.get("guids").and_then(Value::as_array);
                let asked = asked.ok_or_else(|| GraphQlError::bad_input("guids is a list of ids"))?;
                if asked.len() > MAX_EPISODES {
                    return Err(GraphQlError::bad_input(format!("at most {MAX_EPISODES} guids")));
                }
                let found = asked.iter().filter_map(|guid| self.playable(guid.as_str()?));
                Ok(FieldValue::List(found.map(GraphQlObject::Episode).collect()))
            }
            "resumeWatching" => self.resume_watching(arguments),
            _ => Err(unknown(&GraphQlObject::Query, name)),
        }
    }

    fn projects(&self, arguments: &Arguments) -> FieldResult {
        let kinds: &[MediaKind] = match arguments.get("projectType").and_then(Value::as_str) {
            None => &[MediaKind::Show, MediaKind::Film],
            Some("series") => &[MediaKind::Show],
            Some("movie") => &[MediaKind::Film],
            Some(_) => return Err(GraphQlError::bad_input("projectType is series or movie")),
        };
        let kinds = kinds.iter().filter(|kind| self.caller.sees(**kind));
        let all = kinds.flat_map(|kind| self.view.list(*kind, crate::catalogue::SortKey::Added).to_vec());
        Ok(FieldValue::List(all.map(GraphQlObject::Project).collect()))
    }

    /// Projects that the caller left in the middle, the latest first.
    fn resume_watching(&self, arguments: &Arguments) -> FieldResult {
        let user = self.caller.user()?;
        let rows = arguments.get("first").and_then(Value::as_u64).unwrap_or(DEFAULT_PAGE_ROWS);
        let mut left: Vec<(ItemId, WatchState)> = self.view.watches(user);
        left.retain(|(item, watch)| {
            watch.offset_ms > 0 && !watch.hidden_from_resume && self.sees(*item, &[MediaKind::Episode, MediaKind::Film])
        });
        left.sort_by_key(|(item, watch)| (std::cmp::Reverse(watch.last_viewed_at), *item));
        let left: Vec<ItemId> = left.into_iter().map(|(item, _)| item).collect();
        let after = arguments.get("after").and_then(Value::as_str).and_then(|guid| self.item(guid));
        let start = after.and_then(|after| left.iter().position(|item| *item == after)).map_or(0, |at| at + 1);
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let items: Vec<ItemId> = left.iter().skip(start).take(rows).copied().collect();
        let has_more = start.saturating_add(items.len()) < left.len();
        Ok(FieldValue::Object(GraphQlObject::ResumeConnection(ResumePage { items, has_more })))
    }

    fn account(&self, name: &str) -> FieldResult {
        Ok(match name {
            "id" => self.caller.user()?.0.to_string().into(),
            "name" => self.caller.name().into(),
            _ => return Err(unknown(&GraphQlObject::Account, name)),
        })
    }

    fn project(&self, item: ItemId, name: &str) -> FieldResult {
        let record = self.record(item)?;
        Ok(match name {
            "id" => self.guid(item).into(),
            "slug" => slug(&record.title, item).into(),
            "name" => record.title.into(),
            "projectType" => project_type(record.kind).into(),
            "description" => record.summary.into(),
            "year" => record.year.into(),
            "genres" => json!(record.genres).into(),
            "contentRating" => record.content_rating.into(),
            "updatedAt" => record.updated_at.into(),
            "posterUrl" => self.image("poster", &record).into(),
            "backdropUrl" => self.image("backdrop", &record).into(),
            "seasonCount" => self.seasons(&record).len().into(),
            "seasons" => FieldValue::List(self.seasons(&record).into_iter().map(GraphQlObject::Season).collect()),
            _ => return Err(unknown(&GraphQlObject::Project(item), name)),
        })
    }

    /// A film is the only season of its project and the only episode of that.
    fn season(&self, item: ItemId, name: &str) -> FieldResult {
        let record = self.record(item)?;
        let episodes = if record.kind == MediaKind::Film { vec![item] } else { self.view.children(item) };
        Ok(match name {
            "id" => format!("season-{}", self.guid(item)).into(),
            "name" => record.title.into(),
            "number" => record.index.unwrap_or(1).into(),
            "episodeCount" => episodes.len().into(),
            "episodes" => FieldValue::List(episodes.into_iter().map(GraphQlObject::Episode).collect()),
            _ => return Err(unknown(&GraphQlObject::Season(item), name)),
        })
    }

    fn episode(&self, item: ItemId, name: &str) -> FieldResult {
        let record = self.record(item)?;
        let is_film = record.kind == MediaKind::Film;
        Ok(match name {
            "id" | "guid" => self.guid(item).into(),
            "name" => record.title.into(),
            "description" => record.summary.into(),
            "number" => record.index.unwrap_or(1).into(),
            "seasonNumber" => record.parent.and_then(|season| season.index).unwrap_or(1).into(),
            "durationS" => record.duration_ms.map(|ms| ms / 1_000).into(),
            "releasedAt" => record.released.map(crate::catalogue::CalendarDate::iso).into(),
            "posterUrl" => self.image("still", &record).into(),
            "project" => {
                let show = record.grandparent.map_or(item, |show| show.id);
                FieldValue::Object(GraphQlObject::Project(if is_film { item } else { show }))
            }
            "next" => {
                self.next(item).map_or(Value::Null.into(), |next| FieldValue::Object(GraphQlObject::Episode(next)))
            }
            "watchData" => match self.caller {
                GraphQlCaller::Anonymous => Value::Null.into(),
                GraphQlCaller::User(_) => FieldValue::Object(GraphQlObject::WatchData(item)),
            },
            "source" => {
                self.caller.user()?;
                FieldValue::Object(GraphQlObject::Source(item))
            }
            _ => return Err(unknown(&GraphQlObject::Episode(item), name)),
        })
    }

    fn watch_data(&self, item: ItemId, name: &str) -> FieldResult {
        let user = self.caller.user()?;
        let watch = self.view.watch(user, item);
        Ok(match name {
            "id" => format!("{user}:{}", self.guid(item)).into(),
            "positionS" => (watch.offset_ms / 1_000).into(),
            "watched" => watch.played().into(),
            "updatedAt" => watch.last_viewed_at.into(),
            _ => return Err(unknown(&GraphQlObject::WatchData(item), name)),
        })
    }

    /// A link with the caller and a number of writes in it: as a signed one, it is of no use later or to another user.
    fn source(&self, item: ItemId, name: &str) -> FieldResult {
        let user = self.caller.user()?;
        Ok(match name {
            "url" => {
                let signature =
                    self.view.catalogue().rng().hex("graphql/source", u64::from(item.0) << 8 | u64::from(user.0), 16);
                format!("{}/media/{}.mp4?signature={signature}", self.base_url, self.guid(item)).into()
            }
            _ => return Err(unknown(&GraphQlObject::Source(item), name)),
        })
    }

    fn record(&self, item: ItemId) -> Result<ItemRecord, GraphQlError> {
        self.view.record(item).ok_or_else(|| GraphQlError::bad_input("no such item"))
    }

    fn seasons(&self, project: &ItemRecord) -> Vec<ItemId> {
        if project.kind == MediaKind::Film { vec![project.id] } else { self.view.children(project.id) }
    }

    /// The episode after this one, also of the next season.
    fn next(&self, item: ItemId) -> Option<ItemId> {
        let show = self.view.parent(self.view.parent(item)?)?;
        let all = self.view.leaves(show);
        let at = all.iter().position(|other| *other == item)?;
        all.get(at + 1).copied()
    }

    fn image(&self, subject: &str, record: &ItemRecord) -> String {
        format!("{}/images/{subject}/{}.jpg", self.base_url, self.guid(record.id))
    }

    fn guid(&self, item: ItemId) -> String {
        guid(self.view.catalogue().rng(), item)
    }

    fn item(&self, guid: &str) -> Option<ItemId> {
        item_of_guid(self.view.catalogue().rng(), guid)
    }

    /// The episode or film with this id, if the caller may see it.
    pub(super) fn playable(&self, guid: &str) -> Option<ItemId> {
        self.item(guid).filter(|item| self.sees(*item, &[MediaKind::Episode, MediaKind::Film]))
    }

    fn sees(&self, item: ItemId, kinds: &[MediaKind]) -> bool {
        self.view.kind(item).is_some_and(|kind| kinds.contains(&kind) && self.caller.sees(kind))
    }
}

/// An argument that is a text.
pub(super) fn text<'a>(arguments: &'a Arguments, name: &str) -> Result<&'a str, GraphQlError> {
    arguments.get(name).and_then(Value::as_str).ok_or_else(|| GraphQlError::bad_input(format!("{name} is a text")))
}
