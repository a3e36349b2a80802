//! Message formats of notification services.

/// A message format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationTemplate {
    /// Text as the body, the rest as headers, to the URL of a topic.
    Ntfy,
    /// JSON to `/message`, the token in `X-Gotify-Key`.
    Gotify,
    /// JSON to the URL of a webhook, which contains its token.
    Discord,
    /// JSON to `/notify/KEY` of an Apprise API.
    Apprise,
    /// All fields, as JSON of our own.
    Json,
}

impl NotificationTemplate {
    /// Every format.
    pub const EVERY: [Self; 5] = [Self::Ntfy, Self::Gotify, Self::Discord, Self::Apprise, Self::Json];

    /// Its name in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ntfy => "ntfy",
            Self::Gotify => "gotify",
            Self::Discord => "discord",
            Self::Apprise => "apprise",
            Self::Json => "json",
        }
    }

    /// The format with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|template| template.word() == word)
    }
}
