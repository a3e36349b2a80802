//! Values of the fields of a mutation: each is carried out in turn.

use serde_json::{Map, Value};

use super::caller::GraphQlCaller;
use super::error::GraphQlError;
use super::execution::{FieldResolver, FieldValue};
use super::object::GraphQlObject;
use super::resolver::{QueryResolver, text, unknown};
use crate::serve::SimulatorContext;

/// Longest playback position in seconds: a day.
const MAX_POSITION_S: u64 = 86_400;

/// Resolves the fields of one mutation.
pub(super) struct MutationResolver<'a> {
    pub(super) context: &'a SimulatorContext,
    pub(super) caller: &'a GraphQlCaller,
    pub(super) base_url: &'a str,
}

impl FieldResolver for MutationResolver<'_> {
    fn field(
        &mut self,
        object: &GraphQlObject,
        name: &str,
        arguments: &Map<String, Value>,
    ) -> Result<FieldValue, GraphQlError> {
        if *object != GraphQlObject::Mutation {
            return self.view().field(object, name, arguments);
        }
        if !["setWatchPosition", "markWatched", "removeFromResume"].contains(&name) {
            return Err(unknown(object, name));
        }
        let user = self.caller.user()?;
        let item = self.view().playable(text(arguments, "guid")?);
        let item = item.ok_or_else(|| GraphQlError::bad_input("no such episode"))?;
        let position_s = arguments.get("positionS").and_then(Value::as_u64).filter(|s| *s <= MAX_POSITION_S);
        let watched = arguments.get("watched").and_then(Value::as_bool);
        let state = &self.context.state;
        match (name, position_s, watched) {
            ("setWatchPosition", Some(s), _) => state.write(user, |write| write.leave_at(item, s * 1_000)),
            ("markWatched", _, Some(true)) => state.write(user, |write| write.mark_played(item)),
            ("markWatched", _, Some(false)) => state.write(user, |write| write.mark_unplayed(item)),
            ("removeFromResume", _, _) => state.write(user, |write| write.hide_from_resume(item)),
            _ => return Err(GraphQlError::bad_input(format!("{name} lacks an argument"))),
        }
        Ok(FieldValue::Object(GraphQlObject::Episode(item)))
    }
}

impl MutationResolver<'_> {
    fn view(&self) -> QueryResolver<'_> {
        QueryResolver { view: self.context.state.view(), caller: self.caller, base_url: self.base_url }
    }
}
