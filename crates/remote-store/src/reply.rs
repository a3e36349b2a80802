//! Reads the answers of the scripts. An answer of another shape is an error, never a guess.

use greenroom_cache::Timestamp;
use redis::Value;
use std::time::Duration;

use crate::agreement::{HeartbeatReply, LogEntry, Peer};

/// Answer to a heartbeat.
#[derive(Debug)]
pub(crate) enum HearReply {
    /// Another gateway has the prefix for itself.
    Taken { by: String },
    /// Another gateway is live that has another cluster key.
    OtherKey { of: String },
    /// News to hear.
    Told(Box<HeartbeatReply>),
}

/// Answer to an announcement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AnnounceReply {
    /// The numbers, from the first on.
    Numbered { first: u64, seq: u64, floor: u64 },
    /// The epoch is over.
    Epoch,
}

/// All marks above a number.
#[derive(Debug)]
pub(crate) struct MarkList {
    pub(crate) epoch: u64,
    pub(crate) seq: u64,
    pub(crate) floor: u64,
    pub(crate) token: String,
    /// Scope, whether it was purged, and the number.
    pub(crate) marks: Vec<(String, bool, u64)>,
    /// The end of the log, newest first.
    pub(crate) newest: Vec<LogEntry>,
}

/// The answer has another shape than the script gives it.
const SHAPE: &str = "the store gave an answer that is not one of our scripts'";

fn items(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Nil => Ok(&[]),
        _ => Err(SHAPE.into()),
    }
}

fn text(value: Option<&Value>) -> Result<String, String> {
    match value {
        Some(Value::BulkString(bytes)) => String::from_utf8(bytes.clone()).map_err(|_| SHAPE.into()),
        Some(Value::SimpleString(text)) => Ok(text.clone()),
        Some(Value::Int(number)) => Ok(number.to_string()),
        Some(Value::Double(number)) => Ok(format!("{number:.0}")),
        _ => Err(SHAPE.into()),
    }
}

fn number(value: Option<&Value>) -> Result<u64, String> {
    match value {
        Some(Value::Int(number)) => u64::try_from(*number).map_err(|_| SHAPE.into()),
        other => text(other)?.parse().map_err(|_| SHAPE.into()),
    }
}

/// An entry of the log: `seq-1`, then fields.
fn log_entry(value: &Value) -> Result<LogEntry, String> {
    let parts = items(value)?;
    let id = text(parts.first())?;
    let seq = id.strip_suffix("-1").and_then(|seq| seq.parse().ok()).ok_or(SHAPE)?;
    let fields = items(parts.get(1).ok_or(SHAPE)?)?;
    let (token, scope, details) = (text(fields.get(1))?, text(fields.get(3))?, text(fields.get(5))?);
    let (scope, purges) = split_mark(&scope)?;
    let mut durations_ms = [0; 3];
    let mut words = details.split(';');
    for duration in &mut durations_ms {
        *duration = words.next().and_then(|word| word.parse().ok()).ok_or(SHAPE)?;
    }
    Ok(LogEntry { seq, token, scope, purges, durations_ms })
}

/// A mark is one letter that says whether it purges, then the scope.
fn split_mark(mark: &str) -> Result<(String, bool), String> {
    match (mark.strip_prefix('P'), mark.strip_prefix('M')) {
        (Some(scope), _) => Ok((scope.to_owned(), true)),
        (_, Some(scope)) => Ok((scope.to_owned(), false)),
        _ => Err(SHAPE.into()),
    }
}

/// The text that [`split_mark`] splits.
pub(crate) fn join_mark(scope: &str, purges: bool) -> String {
    format!("{}{scope}", if purges { 'P' } else { 'M' })
}

fn peer(value: &Value) -> Result<Peer, String> {
    let parts = items(value)?;
    let id = text(parts.first())?;
    Ok(Peer {
        id,
        name: text(parts.get(1))?,
        heard: number(parts.get(2))?,
        lease_ms: Duration::from_millis(number(parts.get(3))?),
    })
}

/// Reads the answer to a heartbeat.
pub(crate) fn read_hear(value: &Value) -> Result<HearReply, String> {
    let parts = items(value)?;
    match text(parts.first())?.as_str() {
        "taken" => return Ok(HearReply::Taken { by: text(parts.get(1))? }),
        "key" => return Ok(HearReply::OtherKey { of: text(parts.get(1))? }),
        _ => {}
    }
    let list = |at: usize| items(parts.get(at).ok_or(SHAPE)?);
    Ok(HearReply::Told(Box::new(HeartbeatReply {
        now_ms: Timestamp::from_millis(number(parts.get(1))?),
        epoch: number(parts.get(2))?,
        seq: number(parts.get(3))?,
        floor: number(parts.get(4))?,
        renewed: number(parts.get(5))? == 1,
        gap: number(parts.get(6))? == 1,
        acked: number(parts.get(7))?,
        peers: list(8)?.iter().map(peer).collect::<Result<_, _>>()?,
        entries: list(9)?.iter().map(log_entry).collect::<Result<_, _>>()?,
        longest_lease_ms: Duration::from_millis(number(parts.get(10))?),
        leader: text(parts.get(11))?,
    })))
}

/// Reads the answer to an announcement.
pub(crate) fn read_announce(value: &Value) -> Result<AnnounceReply, String> {
    let parts = items(value)?;
    if text(parts.first())? == "epoch" {
        return Ok(AnnounceReply::Epoch);
    }
    Ok(AnnounceReply::Numbered {
        first: number(parts.get(1))?,
        seq: number(parts.get(2))?,
        floor: number(parts.get(3))?,
    })
}

/// Reads a list of marks.
pub(crate) fn read_marks(value: &Value) -> Result<MarkList, String> {
    let parts = items(value)?;
    let flat = items(parts.get(4).ok_or(SHAPE)?)?;
    let mut marks = Vec::new();
    for pair in flat.chunks(2) {
        // The newer protocol gives pairs, the older a flat list.
        let pair = match pair {
            [Value::Array(pair), ..] => pair.as_slice(),
            other => other,
        };
        let (scope, purges) = split_mark(&text(pair.first())?)?;
        marks.push((scope, purges, number(pair.get(1))?));
    }
    let newest = items(parts.get(5).ok_or(SHAPE)?)?;
    Ok(MarkList {
        epoch: number(parts.first())?,
        seq: number(parts.get(1))?,
        floor: number(parts.get(2))?,
        token: text(parts.get(3))?,
        marks,
        newest: newest.iter().map(log_entry).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn an_entry_of_the_log_is_read() {
        let fields = ["t", "a:1", "s", "Mnamespace=home", "i", "0;3000;1000"].map(bulk).to_vec();
        let entry = log_entry(&Value::Array(vec![bulk("7-1"), Value::Array(fields)])).expect("it is one");
        assert_eq!((entry.seq, entry.token.as_str(), entry.scope.as_str()), (7, "a:1", "namespace=home"));
        assert_eq!((entry.purges, entry.durations_ms), (false, [0, 3000, 1000]));
    }

    #[test]
    fn an_answer_of_another_shape_is_an_error() {
        for value in [Value::Nil, Value::Int(1), bulk("ok"), Value::Array(vec![bulk("ok"), bulk("soon")])] {
            assert!(read_hear(&value).is_err() && read_announce(&value).is_err() && read_marks(&value).is_err());
        }
    }

    #[test]
    fn a_prefix_that_another_gateway_has_is_told_with_its_name() {
        let taken = read_hear(&Value::Array(vec![bulk("taken"), bulk("den")]));
        assert!(matches!(taken, Ok(HearReply::Taken { by }) if by == "den"));
    }
}
