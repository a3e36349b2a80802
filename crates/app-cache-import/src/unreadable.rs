//! Reasons for which an entry or value of a store is not read.

use std::borrow::Cow;
use std::fmt;

/// The reason in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableValue(pub Cow<'static, str>);

impl UnreadableValue {
    /// A fixed reason.
    pub(crate) const fn new(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }

    /// An object of a type that no cache stores.
    pub(crate) fn object(name: &str) -> Self {
        Self(Cow::Owned(format!("an object of {}", name.escape_debug().take(129).collect::<String>())))
    }
}

impl fmt::Display for UnreadableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
