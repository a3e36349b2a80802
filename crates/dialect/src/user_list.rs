//! Jellyfin's list of users, and which of them changed between two answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::jellyfin::guid;

/// Target of the list.
pub const USERS_TARGET: &str = "/Users";

/// The users of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserList(BTreeMap<String, UserRecord>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct UserRecord {
    is_disabled: bool,
    /// The user's permissions.
    policy: String,
    /// Other settings of the user that the server's responses depend on.
    configuration: String,
}

/// A difference between two lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// The user was deleted or disabled, or may do or see something else now.
    Rights(String),
    /// The user's name or settings changed.
    Configuration(String),
    /// The user is new.
    Added,
}

impl UserList {
    /// Parses the response to [`USERS_TARGET`]; `None` if it is no list of users.
    pub fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Row {
            id: String,
            name: Option<String>,
            primary_image_tag: Option<String>,
            policy: Map<String, Value>,
            #[serde(default)]
            configuration: Value,
        }
        let rows: Vec<Row> = serde_json::from_slice(body).ok()?;
        let record = |mut row: Row| {
            // It counts wrong passwords.
            row.policy.remove("InvalidLoginAttemptCount");
            let record = UserRecord {
                is_disabled: row.policy.get("IsDisabled") == Some(&Value::Bool(true)),
                policy: Value::Object(row.policy).to_string(),
                configuration: format!("{:?} {:?} {}", row.name, row.primary_image_tag, row.configuration),
            };
            (guid::normalize(&row.id).into_owned(), record)
        };
        Some(Self(rows.into_iter().map(record).collect()))
    }

    /// The changes since `before`.
    pub fn changes_since(&self, before: &Self) -> Vec<UserChange> {
        let gone = before.0.keys().filter(|id| !self.0.contains_key(*id)).map(|id| UserChange::Rights(id.clone()));
        let changed = self.0.iter().filter_map(|(id, now)| match before.0.get(id) {
            None => Some(UserChange::Added),
            Some(before) if before.policy != now.policy => Some(UserChange::Rights(id.clone())),
            Some(before) if before.configuration != now.configuration => Some(UserChange::Configuration(id.clone())),
            Some(_) => None,
        });
        gone.chain(changed).collect()
    }

    /// Users who are disabled.
    pub fn disabled(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, user)| user.is_disabled).map(|(id, _)| id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(rows: &[(&str, &str, u32)]) -> UserList {
        let row = |(id, policy, activity): &(&str, &str, u32)| {
            format!(
                r#"{{"Name":"x","Id":"{id}","LastActivityDate":"2026-11-22T11:49:{activity}.0Z",
                "Configuration":{{"HidePlayedInLatest":true}},"Policy":{{"InvalidLoginAttemptCount":{activity},{policy}}}}}"#
            )
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        UserList::parse(format!("[{}]", rows.join(",")).as_bytes()).unwrap()
    }

    #[test]
    fn a_disabled_a_limited_and_a_deleted_user_have_other_rights() {
        let before =
            users(&[("a", r#""IsDisabled":false"#, 1), ("b", r#""MaxParentalRating":9"#, 1), ("c", r#""X":1"#, 1)]);
        let now = users(&[("a", r#""IsDisabled":true"#, 1), ("b", r#""MaxParentalRating":6"#, 1)]);
        let rights = |id: &str| UserChange::Rights(id.into());
        assert_eq!(now.changes_since(&before), [rights("c"), rights("a"), rights("b")]);
        assert_eq!(now.disabled().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn activity_and_wrong_passwords_change_nothing() {
        let before = users(&[("a", r#""IsDisabled":false"#, 1)]);
        assert_eq!(users(&[("a", r#""IsDisabled":false"#, 30)]).changes_since(&before), []);
        assert_eq!(before.changes_since(&UserList::default()), [UserChange::Added]);
        assert_eq!(UserList::parse(b"{}"), None);
    }
}
