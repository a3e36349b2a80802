//! User state on items: play, rate, report, hide.

use super::done;
use crate::node::Node;
use crate::request::{BAD_REQUEST, NOT_FOUND, PlexError, PlexResponse, PlexResult, PlexWriteRequest};
use greenroom_simulator_backend::catalogue::ItemId;
use greenroom_simulator_backend::state::{PlaybackUpdate, PlayerDevice, PlayerState};

/// Maximum rating.
const MOST: f64 = 10.0;

/// `/:/scrobble` and the like, by any method.
pub(super) fn answer(order: &PlexWriteRequest<'_>, what: &str) -> PlexResult {
    match what {
        "scrobble" => {
            let item = marked(order)?;
            order.state().write(order.user_id(), |write| write.mark_played(item));
            done()
        }
        "unscrobble" => {
            let item = marked(order)?;
            order.state().write(order.user_id(), |write| write.mark_unplayed(item));
            done()
        }
        "rate" => {
            let item = item(order)?;
            let rating: f64 = order.params.number("rating").ok_or(BAD_REQUEST)?;
            let tenths = rated(rating)?;
            order.state().write(order.user_id(), |write| write.rate(item, tenths));
            done()
        }
        "progress" => progress(order),
        "timeline" => timeline(order),
        _ => Err(NOT_FOUND),
    }
}

/// The item of a report: `ratingKey=5`, `key=5` or `key=/library/metadata/5`.
fn item(order: &PlexWriteRequest<'_>) -> Result<ItemId, PlexError> {
    order.item(key(order)?)
}

/// The item of a mark: of one, of all below it, or of all in a playlist of the user.
fn marked(order: &PlexWriteRequest<'_>) -> Result<ItemId, PlexError> {
    let key = key(order)?;
    let id = key.parse().map(ItemId).map_err(|_| BAD_REQUEST)?;
    let view = order.state().view();
    let is_own_playlist = view.playlist(id).is_some_and(|playlist| playlist.is_visible_to(order.user_id()));
    drop(view);
    if is_own_playlist { Ok(id) } else { order.item(key) }
}

fn key<'a>(order: &'a PlexWriteRequest<'_>) -> Result<&'a str, PlexError> {
    let key = order.params.get("ratingKey").or_else(|| order.params.get("key")).ok_or(BAD_REQUEST)?;
    let id = ["/library/metadata/", "/playlists/"].iter().find_map(|start| key.strip_prefix(start)).unwrap_or(key);
    Ok(id.split(['/', '?']).next().unwrap_or(id))
}

/// A rating in tenths; -1 removes it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
fn rated(rating: f64) -> Result<Option<u16>, PlexError> {
    if rating < 0.0 {
        return Ok(None);
    }
    if rating > MOST { Err(BAD_REQUEST) } else { Ok(Some((rating * 10.0).round() as u16)) }
}

/// `/:/progress`: the playback position, without a player.
fn progress(order: &PlexWriteRequest<'_>) -> PlexResult {
    let item = item(order)?;
    let offset_ms = order.params.number("time").ok_or(BAD_REQUEST)?;
    let state = order.params.get("state").and_then(PlayerState::from_word).unwrap_or(PlayerState::Stopped);
    if state == PlayerState::Stopped {
        order.state().write(order.user_id(), |write| write.leave_at(item, offset_ms));
    } else {
        report(order, item, state, offset_ms);
    }
    done()
}

/// `/:/timeline`: a player's report, every few seconds.
fn timeline(order: &PlexWriteRequest<'_>) -> PlexResult {
    let item = item(order)?;
    let state = order.params.get("state").and_then(PlayerState::from_word).ok_or(BAD_REQUEST)?;
    let offset_ms = order.params.number("time").unwrap_or(0);
    report(order, item, state, offset_ms);
    let watch = order.state().view().watch(order.user_id(), item);
    PlexResponse::tree(
        Node::new("MediaContainer")
            .set("size", 0)
            .set("playbackState", state.word())
            .set("skipCount", watch.skips)
            .set("viewCount", watch.views)
            .set("viewOffset", watch.offset_ms),
    )
}

fn report(order: &PlexWriteRequest<'_>, item: ItemId, progress: PlayerState, offset_ms: u64) {
    let said = |name: &str, otherwise: &str| order.params.plex(name).unwrap_or(otherwise).to_owned();
    let address = forwarded(order).unwrap_or_else(|| order.request.peer.ip().to_string());
    let device = PlayerDevice {
        client: said("X-Plex-Client-Identifier", "unnamed"),
        name: said("X-Plex-Device-Name", &said("X-Plex-Device", "Player")),
        product: said("X-Plex-Product", "Player"),
        version: said("X-Plex-Version", "0"),
        platform: said("X-Plex-Platform", "Generic"),
        address,
        ..PlayerDevice::default()
    };
    let playing = PlaybackUpdate { item, progress, offset_ms, device };
    order.state().write(order.user_id(), |write| write.report(&playing));
}

fn forwarded(order: &PlexWriteRequest<'_>) -> Option<String> {
    let claimed = order.request.header("x-forwarded-for").filter(|_| order.server.switches.trusts_forwarded_for)?;
    claimed.split(',').next().map(|first| first.trim().to_owned())
}

/// `/actions/removeFromContinueWatching`
pub(super) fn hide(order: &PlexWriteRequest<'_>) -> PlexResult {
    let item = item(order)?;
    order.state().write(order.user_id(), |write| write.hide_from_resume(item));
    done()
}

/// `/status/sessions/terminate`
pub(super) fn terminate(order: &PlexWriteRequest<'_>) -> PlexResult {
    order.owner_only()?;
    let session = order.params.get("sessionId").ok_or(BAD_REQUEST)?;
    let ended = order.state().write(order.user_id(), |write| write.end_session(session));
    if ended { done() } else { Err(NOT_FOUND) }
}

/// `DELETE /status/sessions/history/5`
pub(super) fn forget(order: &PlexWriteRequest<'_>, id: &str) -> PlexResult {
    order.owner_only()?;
    let id = id.parse().map_err(|_| BAD_REQUEST)?;
    let gone = order.state().write(order.user_id(), |write| write.delete_play(id));
    if gone { done() } else { Err(NOT_FOUND) }
}
