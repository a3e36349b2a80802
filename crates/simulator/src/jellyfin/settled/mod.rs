//! What never changes while the server runs: languages, countries, ratings, and what each user is allowed.

mod localization;
mod rights;

pub(crate) use localization::{countries, cultures, languages, ratings};
pub(crate) use rights::{configuration, policy};
