//! What may go wrong with a login, and what to do about it. Never holds a token, a secret or a password.

use std::fmt;

use crate::probe_client::Silence;
use greenroom_dialect::server_identity::ServerIdentity;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answered at this address.
    Silent(String, Silence),
    /// No code was given; the status.
    NoCode(u16),
    /// What answers at this address is no Jellyfin that can be logged in at.
    NotJellyfin(String, ServerIdentity),
    /// The server gives no codes.
    CodesOff,
    /// Nobody agreed in time.
    Expired,
    /// Name or password are wrong.
    WrongPassword,
    /// An answer that is not understood; its status.
    NotUnderstood(u16),
}

impl Trouble {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Silent(_, Silence::NoSuchName(_)) => {
                "check the address for typing errors, and that this machine can look up names"
            }
            Self::Silent(_, Silence::Certificate(_)) => {
                "use the name the certificate is for; `greenroom doctor` shows which that is, and its fingerprint"
            }
            Self::Silent(_, Silence::NotEncrypted) => "use http:// instead of https://",
            Self::Silent(..) => {
                "check that the address is right and reachable from this machine, then try again"
            }
            Self::NoCode(429) => "too many codes were asked for; wait some minutes, then try again",
            Self::NoCode(_)
            | Self::NotUnderstood(_)
            | Self::NotJellyfin(_, ServerIdentity::Starting { .. } | ServerIdentity::Failing { .. }) => {
                "try again in some minutes"
            }
            Self::NotJellyfin(_, ServerIdentity::WantsEncryption) => "use https:// instead of http://",
            Self::NotJellyfin(_, ServerIdentity::Emby { .. }) => "let its apps ask it directly",
            Self::NotJellyfin(..) => {
                "check --url: it is the address you open in a browser, with its base path if there is one \
                 (http://ADDRESS:8096/jellyfin)"
            }
            Self::CodesOff => {
                "an administrator turns it on under Dashboard, General, Quick Connect; or log in with --user NAME"
            }
            Self::Expired => "run the command again and agree to the new code while it waits",
            Self::WrongPassword => "check both; an account without a password has an empty one",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(url, silence) => write!(f, "{url} does not answer: {silence}"),
            Self::NoCode(status) => write!(f, "no code was given (status {status})"),
            Self::NotJellyfin(
                url,
                identity @ (ServerIdentity::OtherKind(_)
                | ServerIdentity::Emby { .. }
                | ServerIdentity::SomethingElse(_)),
            ) => write!(f, "what answers at {url} is not a Jellyfin server: {identity}"),
            Self::NotJellyfin(url, identity) => write!(f, "{url} cannot be logged in at: {identity}"),
            Self::CodesOff => f.write_str("Quick Connect is switched off on this server"),
            Self::Expired => f.write_str("nobody agreed to the code while it was good"),
            Self::WrongPassword => f.write_str("the server does not accept this name and password"),
            Self::NotUnderstood(status) => write!(f, "the answer is not understood (status {status})"),
        }
    }
}
