//! Reasons why there is no response: a closed list, so that callers have a remedy for each.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use crate::certificate_error::CertificateRejection;

/// Reason why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeError {
    /// The host name does not resolve.
    NoSuchName(String),
    /// The host is up, but nothing listens on the port.
    Refused,
    /// There is no route to the address.
    Unreachable,
    /// A step timed out.
    TimedOut(ProbeStage),
    /// The certificate was rejected.
    Certificate(CertificateRejection),
    /// The server does not use TLS.
    NotEncrypted,
    /// Another TLS error.
    Encryption(String),
    /// The server does not speak HTTP.
    NotHttp,
    /// The connection ended before the response did.
    BrokeOff,
    /// The response exceeds the limit.
    TooLong,
    /// Another error.
    Other(String),
}

/// Step of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeStage {
    /// Resolving the host name.
    Resolving,
    /// Connecting.
    Connecting,
    /// TLS handshake.
    Encrypting,
    /// Waiting for the complete response.
    Answering,
}

impl ProbeError {
    pub(super) fn from_connect_error(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::TimedOut(ProbeStage::Connecting),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Self::Unreachable
            }
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Self::BrokeOff,
            _ => Self::Other(error.to_string()),
        }
    }

    pub(super) fn from_hyper(error: &hyper::Error) -> Self {
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

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName(name) => write!(f, "the name {name} cannot be resolved"),
            Self::Refused => f.write_str("nothing listens there"),
            Self::Unreachable => f.write_str("the address is unreachable"),
            Self::TimedOut(stage) => write!(f, "timed out while {stage}"),
            Self::Certificate(rejection) => write!(f, "{rejection}"),
            Self::NotEncrypted => f.write_str("it does not speak TLS"),
            Self::Encryption(reason) => write!(f, "TLS failed: {reason}"),
            Self::NotHttp => f.write_str("its response is not HTTP"),
            Self::BrokeOff => f.write_str("the connection was closed before the response ended"),
            Self::TooLong => f.write_str("the response is longer than expected"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Display for ProbeStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "looking up the name",
            Self::Connecting => "connecting",
            Self::Encrypting => "negotiating TLS",
            Self::Answering => "waiting for the response",
        })
    }
}
