//! Properties of the one field of an answer that is rewritten.

use std::fmt;

use greenroom_dialect::jellyfin::public_info_address;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::request::split_once;

/// The names of the field.
const FIELDS: [&str; 2] = ["LocalAddress", "localAddress"];

/// Checks what must hold of a body in which the server's own address is replaced: the first line is the address
/// that the client used, the rest the body.
pub fn check(bytes: &[u8]) {
    let (address, body) = split_once(bytes, b"\n");
    let address = String::from_utf8_lossy(address);
    let before = serde_json::from_slice::<ObjectMembers>(body).ok();
    let Some(changed) = public_info_address(body, &address) else {
        let is_there = before.is_some_and(|before| before.0.iter().any(|(name, _)| is_field(name)));
        assert!(!is_there, "the server's own address was left in: {}", String::from_utf8_lossy(body));
        return;
    };
    assert!(serde_json::from_slice::<IgnoredAny>(&changed).is_ok(), "what is changed is still JSON");
    // A number or a letter that is none is JSON by its grammar, but nothing that could be compared.
    let Some(before) = before else { return };
    let after: ObjectMembers = serde_json::from_slice(&changed).expect("what is changed is still an object");
    assert_eq!(before.0.len(), after.0.len(), "no member comes or goes");
    for ((name, old), (same_name, new)) in before.0.into_iter().zip(after.0) {
        assert_eq!(name, same_name, "members keep their names and their order");
        let wanted = if is_field(&name) { Value::String(address.clone().into_owned()) } else { old };
        assert_eq!(new, wanted, "{name}");
    }
}

fn is_field(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// The members of an object as they stand there, those of one name too.
struct ObjectMembers(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for ObjectMembers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = ObjectMembers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectMembers, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(ObjectMembers(pairs))
            }
        }
        from.deserialize_map(MembersVisitor)
    }
}
