//! The servers of an account, with their addresses.

use serde_json::{Value, json};

use crate::link_pins::instant;
use crate::server::{PlexServer, VERSION};
use greenroom_simulator_backend::users::{SimulatedUser, UserToken};

/// The list for `user`, whose token is `token`: this server, and a player that is no server.
pub(super) fn list(user: &SimulatedUser, token: &UserToken, server: &PlexServer) -> Value {
    let machine = &server.machine;
    let secure = |address: &str, local: bool, relay: bool, port: u16| {
        json!({
            "protocol": "https", "address": address, "port": port,
            "uri": format!("https://{}.{machine}.plex.direct:{port}", address.replace('.', "-")),
            "local": local, "relay": relay, "IPv6": false,
        })
    };
    json!([
        {
            "name": server.name, "product": "Plex Media Server", "productVersion": VERSION,
            "platform": "Linux", "platformVersion": "6.1", "device": "PC",
            "clientIdentifier": machine, "createdAt": instant(server.started_at * 1_000),
            "lastSeenAt": instant(server.started_at * 1_000), "provides": "server",
            "ownerId": if user.admin { Value::Null } else { json!(1) },
            "sourceTitle": if user.admin { Value::Null } else { json!("olga") },
            "publicAddress": "203.0.113.7", "accessToken": token.secret,
            "owned": user.admin, "home": false, "synced": false, "relay": true, "presence": true,
            "httpsRequired": false, "publicAddressMatches": true, "dnsRebindingProtection": false,
            "natLoopbackSupported": false,
            "connections": [
                secure("127.0.0.1", true, false, server.port),
                secure("203.0.113.7", false, false, 32400),
                secure("198.51.100.9", false, true, 8443),
            ],
        },
        {
            "name": "Telephone", "product": "Plex for Android (Mobile)", "productVersion": "10.0",
            "clientIdentifier": "telephone", "provides": "player", "owned": true, "accessToken": null,
            "publicAddressMatches": true, "presence": false, "connections": [],
        },
    ])
}
