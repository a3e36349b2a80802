//! The forms in which services take a notification.

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// The text as the body, the rest as headers, to the address of a topic.
    Ntfy,
    /// JSON to `/message`, the token in `X-Gotify-Key`.
    Gotify,
    /// JSON to the address of a webhook, which holds its token.
    Discord,
    /// JSON to `/notify/KEY` of an Apprise API.
    Apprise,
    /// Everything that is known, as JSON of our own.
    Json,
}

impl Template {
    /// Every one of them.
    pub const EVERY: [Self; 5] = [Self::Ntfy, Self::Gotify, Self::Discord, Self::Apprise, Self::Json];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ntfy => "ntfy",
            Self::Gotify => "gotify",
            Self::Discord => "discord",
            Self::Apprise => "apprise",
            Self::Json => "json",
        }
    }

    /// The one of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|template| template.word() == word)
    }
}
