//! The dialect of Jellyfin, 10.10 and later.
//!
//! Rooms:
//! - `address`: a request's path without the prefixes of the family's past, in both spellings it is matched by.
//! - `routes`: the allow-list of reads, old routes and new ones alike; `passing`: what is never kept.
//! - `parameter`, `setting`, `query`: the parameters the server knows, what they are set to, and a query in
//!   its one canonical form.
//! - `read`: the canonical key, target and tags of a read; `listing`: what a query asks of a list;
//!   `accept`: representation and language.
//! - `write`, `edit`, `account`, `playback`: what each write makes stale.
//! - `authorization`, `credential`: who asks.
//! - `inspect`, `rows`: what an answer says. `socket`: what a frame says.
//! - `anonymous`: what is asked before there is a token.
//! - `info`: the one field of an answer that is rewritten. `error`: errors as clients accept them.

mod accept;
mod account;
mod address;
mod anonymous;
mod authorization;
mod credential;
mod edit;
mod error;
pub(crate) mod guid;
mod info;
mod inspect;
mod listing;
mod parameter;
mod passing;
mod playback;
mod query;
mod read;
mod routes;
mod rows;
mod setting;
mod socket;
mod write;

use std::sync::Arc;

use http::Method;

pub use info::public_info_address;

pub(crate) use anonymous::{open, sign_of_life};
pub(crate) use credential::{credential, credential_headers, without_legacy_key};
pub(crate) use error::error_body;
pub(crate) use inspect::inspect;
pub(crate) use playback::playing;
pub(crate) use socket::{SCAN_TASK, frame, subscription};

use crate::ask::Ask;
use crate::redact;
use crate::verdict::{Read, Refusal, StreamReason, Verdict};
use address::Address;

/// What a request is. `own_user` is the user the credential is proven to belong to.
pub(crate) fn classify(ask: &Ask<'_>, own_user: Option<&str>) -> Verdict {
    match Address::split(ask.target) {
        Ok(address) => {
            let verdict = judge(ask, &address, own_user.map(guid::normal).as_deref());
            address.temper(verdict)
        }
        Err(refusal) => Verdict::Refuse(refusal),
    }
}

/// Whether the body of this write names what it is about: reports of players do.
pub(crate) fn reads_body(ask: &Ask<'_>) -> bool {
    Address::split(ask.target).is_ok_and(|address| playback::is_report(&address.low()))
}

/// Restarting, stopping and setting up: granted to the local network without asking who it is.
pub(crate) fn is_only_for_neighbours(target: &str) -> bool {
    // What cannot be read is refused by classification.
    let Ok(address) = Address::split(target) else { return false };
    matches!(address.low()[..], ["system", "restart" | "shutdown"] | ["startup", ..])
}

fn judge(ask: &Ask<'_>, address: &Address<'_>, own_user: Option<&str>) -> Verdict {
    let low = address.low();
    if low.first() == Some(&"startup") {
        return Verdict::Refuse(Refusal::Setup);
    }
    if passing::is_socket(ask.method, ask.headers, &low) {
        return Verdict::Stream(StreamReason::Socket);
    }
    match *ask.method {
        Method::GET | Method::HEAD => match read::judge(ask, address, own_user) {
            Ok(read) if tells_the_token(ask, &read) => Verdict::Stream(StreamReason::Odd),
            Ok(read) => Verdict::Read(Arc::new(read)),
            Err(reason) => Verdict::Stream(reason),
        },
        Method::OPTIONS | Method::TRACE => Verdict::Stream(StreamReason::Moment),
        _ => match passing::of_a_write(&low) {
            Some(reason) => Verdict::Stream(reason),
            None => Verdict::Write(Box::new(write::judge(ask, address, own_user))),
        },
    }
}

/// Whether the caller's token stands somewhere in the key: searched for, or pasted into a path.
fn tells_the_token(ask: &Ask<'_>, read: &Read) -> bool {
    let token = credential(ask).token;
    token.is_some_and(|token| redact::shows_token(&read.key, token.expose()))
}
