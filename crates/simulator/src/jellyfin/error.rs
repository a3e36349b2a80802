//! Error responses: all kinds, and their form on the wire.

use http::StatusCode;

/// An error response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JellyfinError {
    /// 401 with an empty body: no token, or an invalid one.
    Unauthorized,
    /// 401 with a sentence: a valid token, but a library its user may not see.
    NotPermitted(String),
    /// 403 with an empty body: a valid token without the right.
    Forbidden,
    /// 404 as a problem document: there is no such thing, or not for this user.
    NotFound,
    /// 400 as a problem document that names the parameter.
    Invalid(String),
    /// 405 with an empty body: the path exists, the method does not.
    WrongMethod,
    /// 416 with an empty body: the range is outside of this length.
    Range(u64),
}

impl JellyfinError {
    /// A parameter whose value is not of its type.
    pub(crate) fn invalid(name: &str) -> Self {
        Self::Invalid(name.to_owned())
    }

    /// The status on the wire.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized | Self::NotPermitted(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }
}
