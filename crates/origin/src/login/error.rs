//! Login errors and their remedies. They never contain a token, a secret or a password.

use std::fmt;

use crate::probe_client::ProbeError;
use greenroom_dialect::server_identity::ServerIdentity;

/// Login error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginError {
    /// There is no response at this address.
    NoResponse(String, ProbeError),
    /// No code was issued; the status.
    NoCode(u16),
    /// The server at this address is no Jellyfin that allows logins.
    NotJellyfin(String, ServerIdentity),
    /// The server issues no codes.
    CodesOff,
    /// The code was not approved in time.
    Expired,
    /// Name or password is wrong.
    WrongPassword,
    /// A response that cannot be parsed; its status.
    UnexpectedResponse(u16),
}

impl LoginError {
    /// Remedy.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoResponse(_, ProbeError::NoSuchName(_)) => {
                "check the address for typing errors, and that this machine can resolve names"
            }
            Self::NoResponse(_, ProbeError::Certificate(_)) => {
                "use the name the certificate is for; `greenroom doctor` shows which that is, and its fingerprint"
            }
            Self::NoResponse(_, ProbeError::NotEncrypted) => "use http:// instead of https://",
            Self::NoResponse(..) => "check that the address is right and reachable from this machine, then try again",
            Self::NoCode(429) => "too many codes were requested; wait a few minutes, then try again",
            Self::NoCode(_)
            | Self::UnexpectedResponse(_)
            | Self::NotJellyfin(_, ServerIdentity::Starting { .. } | ServerIdentity::Failing { .. }) => {
                "try again in a few minutes"
            }
            Self::NotJellyfin(_, ServerIdentity::EncryptionRequired) => "use https:// instead of http://",
            Self::NotJellyfin(_, ServerIdentity::Emby { .. }) => "let its apps connect to it directly",
            Self::NotJellyfin(..) => {
                "check --url: it is the address you open in a browser, with its base path if there is one \
                 (http://ADDRESS:8096/jellyfin)"
            }
            Self::CodesOff => {
                "an administrator turns it on under Dashboard, General, Quick Connect; or log in with --user NAME"
            }
            Self::Expired => "run the command again and approve the new code while it waits",
            Self::WrongPassword => "check both; the password of an account without one is empty",
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResponse(url, error) => write!(f, "{url} does not respond: {error}"),
            Self::NoCode(status) => write!(f, "no code was issued (status {status})"),
            Self::NotJellyfin(
                url,
                identity @ (ServerIdentity::OtherKind(_)
                | ServerIdentity::Emby { .. }
                | ServerIdentity::Unrecognized(_)),
            ) => write!(f, "the server at {url} is not a Jellyfin server: {identity}"),
            Self::NotJellyfin(url, identity) => write!(f, "login at {url} failed: {identity}"),
            Self::CodesOff => f.write_str("Quick Connect is switched off on this server"),
            Self::Expired => f.write_str("the code expired before it was approved"),
            Self::WrongPassword => f.write_str("the server does not accept this name and password"),
            Self::UnexpectedResponse(status) => write!(f, "the response is not understood (status {status})"),
        }
    }
}
