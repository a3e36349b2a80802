//! The user of a request.

use std::sync::Arc;

use crate::catalogue::{MediaKind, Section};
use crate::users::{SimulatedUser, UserId};

use super::error::GraphQlError;

/// The caller of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GraphQlCaller {
    /// Without a token.
    Anonymous,
    User(Arc<SimulatedUser>),
}

impl GraphQlCaller {
    /// Name in the mark of a response.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(user) => &user.name,
        }
    }

    /// The user; without one an error that says so.
    pub(super) fn user(&self) -> Result<UserId, GraphQlError> {
        match self {
            Self::Anonymous => Err(GraphQlError::unauthenticated()),
            Self::User(user) => Ok(user.id),
        }
    }

    /// Whether the caller may see items of this kind.
    pub(super) fn sees(&self, kind: MediaKind) -> bool {
        match self {
            Self::Anonymous => kind.section() != Section::Music,
            Self::User(user) => user.sees(kind.section()),
        }
    }
}
