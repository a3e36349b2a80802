//! Users, their tokens and permissions.

use std::fmt;

use crate::catalogue::Section;

/// Number of a user, from 1. The owner is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub u32);

impl UserId {
    /// The owner of every simulated server.
    pub const OWNER: Self = Self(1);
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedUser {
    /// The number.
    pub id: UserId,
    /// The name, also used for a login without a password.
    pub name: String,
    /// Whether the user may change the server and see the sessions of all users.
    pub admin: bool,
    /// Sections that the user may see.
    pub sections: Vec<Section>,
}

impl SimulatedUser {
    /// Whether this user may see `section`.
    pub fn sees(&self, section: Section) -> bool {
        self.sections.contains(&section)
    }
}

/// A token. Unlike a real one it is no secret: it opens only a simulated library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToken {
    /// Label in the request log: `owner-a`, `owner-b`, `sam`, `kim`, `key`.
    pub label: String,
    /// The token as clients send it.
    pub secret: String,
    /// Its user; an API key has none.
    pub user: Option<UserId>,
}

impl UserToken {
    /// Name of the app that logged in for it. A token labelled `greenroom` is one that Greenroom's own log-in made.
    pub fn app_name(&self) -> &'static str {
        match (self.user, self.label.as_str()) {
            (Some(_), "greenroom") => "Greenroom",
            (Some(_), _) => "Greenroom Test",
            (None, _) => "Greenroom Key",
        }
    }
}

/// The users of a server and their tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRegistry {
    /// The users.
    pub users: Vec<SimulatedUser>,
    /// The tokens.
    pub tokens: Vec<UserToken>,
}

impl UserRegistry {
    /// Olga, the owner, with two tokens; Sam, who sees everything; Kim, who does not see the shows; and an API key
    /// without a user. Their tokens start with `prefix`: `plx-owner-a`, `plx-owner-b`, `plx-sam`, `plx-kim`, `plx-key`.
    pub fn standard(prefix: &str) -> Self {
        let user = |id: u32, name: &str, sections: &[Section]| SimulatedUser {
            id: UserId(id),
            name: name.into(),
            admin: id == 1,
            sections: sections.to_vec(),
        };
        let token = |label: &str, user: Option<u32>| UserToken {
            label: label.into(),
            secret: format!("{prefix}-{label}"),
            user: user.map(UserId),
        };
        Self {
            users: vec![
                user(1, "olga", &Section::EVERY),
                user(2, "sam", &Section::EVERY),
                user(3, "kim", &[Section::Films, Section::Music]),
            ],
            tokens: vec![
                token("owner-a", Some(1)),
                token("owner-b", Some(1)),
                token("sam", Some(2)),
                token("kim", Some(3)),
                token("key", None),
            ],
        }
    }

    /// The user with this number.
    pub fn user(&self, id: UserId) -> Option<&SimulatedUser> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The token with this secret.
    pub fn token(&self, secret: &str) -> Option<&UserToken> {
        self.tokens.iter().find(|token| token.secret == secret)
    }

    /// The secret of the token with this label.
    ///
    /// # Panics
    /// Panics if there is no such label: labels are defined by the code that sets up the users.
    pub fn secret(&self, label: &str) -> &str {
        let found = self.tokens.iter().find(|token| token.label == label);
        &found.expect("a label that was set up").secret
    }

    /// The first token of the owner.
    pub fn owner_a(&self) -> &str {
        self.secret("owner-a")
    }

    /// The second token of the owner.
    pub fn owner_b(&self) -> &str {
        self.secret("owner-b")
    }

    /// The token of the user who sees everything.
    pub fn sam(&self) -> &str {
        self.secret("sam")
    }

    /// The token of the user who does not see the shows.
    pub fn kim(&self) -> &str {
        self.secret("kim")
    }
}
