//! Targets of notifications.

use std::collections::BTreeSet;
use std::time::Duration;

use greenroom_dialect::credential::Secret;

use super::section::Section;
use super::source::ConfigSource;
use crate::NotificationEvent;
use crate::NotificationTemplate;
use crate::TargetUrl;

/// Max number of targets.
const MAX_TARGETS: usize = 20;
/// Keys of a target.
const KEYS: [&str; 11] = [
    "name",
    "url",
    "url_file",
    "template",
    "token",
    "token_file",
    "secret",
    "secret_file",
    "events",
    "group_s",
    "max_per_10_minutes",
];

/// A target of notifications.
#[derive(Debug, Clone)]
pub struct NotificationTargetSettings {
    /// Its name in the configuration.
    pub name: String,
    /// Its URL.
    pub address: TargetUrl,
    /// Format of its messages.
    pub template: NotificationTemplate,
    /// Token to authenticate with.
    pub token: Option<Secret>,
    /// Key that signs messages.
    pub secret: Option<Secret>,
    /// Events it receives.
    pub events: BTreeSet<NotificationEvent>,
    /// Wait after an event, so that later ones join its message.
    pub window: Duration,
    /// Max messages in any ten minutes.
    pub max_messages: usize,
}

impl NotificationTargetSettings {
    /// Reads all targets.
    pub(super) fn read_all(tree: &mut ConfigSource) -> Vec<Self> {
        let names = tree.names_below("notice", &KEYS);
        if names.len() > MAX_TARGETS {
            tree.problem(tree.place("notice"), format!("there may be at most {MAX_TARGETS} of them"));
            return Vec::new();
        }
        names.into_iter().filter_map(|name| Self::read(tree, name)).collect()
    }

    fn read(tree: &mut ConfigSource, name: String) -> Option<Self> {
        let mut own = Section::new(tree, format!("notice.{name}"));
        let place = [own.key("url"), own.key("url_file")].into_iter().find(|path| own.tree.has(path));
        let place = own.tree.place(&place.unwrap_or_else(|| own.key("url")));
        // The name only identified the target, and is optional.
        drop(own.tree.take(&own.key("name")));
        let url = own.token("url");
        let token = own.token("token");
        let secret = own.token("secret");
        let template = read_template(&mut own);
        let events = own.names("events", &NotificationEvent::EVERY, NotificationEvent::word);
        let window = own.seconds("group_s", 0..=3600, Duration::from_secs(30));
        let max_messages = own.count("max_per_10_minutes", 1..=600, 6);
        let Some(url) = url else {
            tree.problem(place, format!("notice \"{name}\" needs a url or a url_file"));
            return None;
        };
        let address = match TargetUrl::parse(url.expose()) {
            Ok(address) => address,
            Err(why) => {
                tree.problem(place, format!("the url of notice \"{name}\": {why}"));
                return None;
            }
        };
        Some(Self { name, address, template: template?, token, secret, events: events?, window, max_messages })
    }
}

fn read_template(own: &mut Section<'_>) -> Option<NotificationTemplate> {
    let path = own.key("template");
    let Some(leaf) = own.tree.take(&path) else { return Some(NotificationTemplate::Json) };
    let template = NotificationTemplate::parse(leaf.text.trim());
    if template.is_none() {
        let known = NotificationTemplate::EVERY.map(NotificationTemplate::word).join(", ");
        own.tree.problem(leaf.place, format!("{path} must be one of {known}, not \"{}\"", leaf.text));
    }
    template
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    const HOME: &str = "[[server]]\nname = \"home\"\nkind = \"plex\"\nurl = \"http://192.168.1.10:32400\"\n";

    fn read(more: &str, variables: &[(&str, &str)]) -> Result<Vec<NotificationTargetSettings>, String> {
        let mut tree = ConfigSource::default();
        tree.add_toml("g.toml", &format!("{HOME}{more}"));
        tree.add_environment(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Settings::read(tree).map(|settings| settings.notification_targets).map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn a_target_needs_only_its_address() {
        let notices = read("[[notice]]\nname = \"phone\"\nurl = \"https://ntfy.example/alerts\"\n", &[]);
        let [notice] = &notices.expect("valid")[..] else { panic!("one") };
        assert_eq!((notice.name.as_str(), notice.template), ("phone", NotificationTemplate::Json));
        assert_eq!((notice.window, notice.max_messages), (Duration::from_secs(30), 6));
        assert_eq!(notice.events.len(), NotificationEvent::EVERY.len());
    }

    #[test]
    fn every_key_can_be_said_in_variables_alone() {
        let said = [
            ("GREENROOM_NOTICE_PHONE_URL", "https://push.example/message"),
            ("GREENROOM_NOTICE_PHONE_TEMPLATE", "gotify"),
            ("GREENROOM_NOTICE_PHONE_TOKEN", "Aabc"),
            ("GREENROOM_NOTICE_PHONE_SECRET", "hush"),
            ("GREENROOM_NOTICE_PHONE_EVENTS", "server-down, disk-off"),
            ("GREENROOM_NOTICE_PHONE_GROUP_S", "0"),
            ("GREENROOM_NOTICE_PHONE_MAX_PER_10_MINUTES", "3"),
        ];
        let notices = read("", &said).expect("valid");
        let [notice] = &notices[..] else { panic!("one: {notices:?}") };
        assert_eq!(notice.template, NotificationTemplate::Gotify);
        assert_eq!(notice.events, [NotificationEvent::ServerDown, NotificationEvent::DiskOff].into());
        assert_eq!((notice.window, notice.max_messages), (Duration::ZERO, 3));
        let shown = format!("{notice:?}");
        assert!(!shown.contains("Aabc") && !shown.contains("hush") && !shown.contains("/message"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_address() {
        let row = |more: &str| read(&format!("[[notice]]\nname = \"phone\"\n{more}\n"), &[]).expect_err("wrong");
        assert!(row("").contains("needs a url"));
        let problem = row("url = \"https://u:SECRET@h/\"");
        assert!(problem.starts_with("g.toml:7") && !problem.contains("SECRET"), "{problem}");
        assert!(row("url = \"https://h/\"\ntemplate = \"slack\"").contains("ntfy, gotify, discord"));
        assert!(row("url = \"https://h/\"\nevents = [\"rain\"]").contains("server-down"));
        assert!(read("[[notice]]\nurl = \"https://h/\"\n", &[]).expect_err("no name").contains("needs a name"));
    }
}
