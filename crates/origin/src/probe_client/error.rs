//! Why there is no answer: a closed list, so that whoever tells a person what to do has thought of each.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use crate::certificate_error::Distrust;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// Nobody knows the name.
    NoSuchName(String),
    /// The machine is there, and nothing listens on that port.
    Refused,
    /// There is no way to that address.
    Unreachable,
    /// A step took too long.
    TimedOut(Stage),
    /// The certificate is not believed.
    Certificate(Distrust),
    /// It does not encrypt.
    NotEncrypted,
    /// Encryption failed otherwise.
    Encryption(String),
    /// It speaks something else than HTTP.
    NotHttp,
    /// The connection ended before the answer did.
    BrokeOff,
    /// The answer is longer than is read.
    TooLong,
    /// Something else.
    Other(String),
}

/// The steps of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Finding the address of a name.
    Resolving,
    /// Connecting to it.
    Connecting,
    /// Agreeing on encryption.
    Encrypting,
    /// Waiting for the whole answer.
    Answering,
}

impl Silence {
    pub(super) fn of_connecting(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::TimedOut(Stage::Connecting),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Self::Unreachable
            }
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Self::BrokeOff,
            _ => Self::Other(error.to_string()),
        }
    }

    pub(super) fn of_http(error: &hyper::Error) -> Self {
        if error.is_parse() {
            return Self::NotHttp;
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Self::BrokeOff;
        }
        let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        match cause.map(io::Error::kind) {
            Some(
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof,
            ) => Self::BrokeOff,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName(name) => write!(f, "the name {name} is not known here"),
            Self::Refused => f.write_str("nothing listens there"),
            Self::Unreachable => f.write_str("there is no way to that address"),
            Self::TimedOut(stage) => write!(f, "no answer in time while {stage}"),
            Self::Certificate(distrust) => write!(f, "{distrust}"),
            Self::NotEncrypted => f.write_str("it does not speak TLS"),
            Self::Encryption(reason) => write!(f, "TLS failed: {reason}"),
            Self::NotHttp => f.write_str("what it says is not HTTP"),
            Self::BrokeOff => f.write_str("the connection was cut before the answer ended"),
            Self::TooLong => f.write_str("the answer is longer than expected"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "looking up the name",
            Self::Connecting => "connecting",
            Self::Encrypting => "agreeing on encryption",
            Self::Answering => "waiting for the answer",
        })
    }
}
