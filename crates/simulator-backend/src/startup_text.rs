//! Text about a started simulated server.

use std::fmt::Write as _;

use crate::simulated_server::SimulatedServer;

/// Address and tokens of a simulated server called `name`, and how to inspect it and inject faults.
pub fn describe(server: &SimulatedServer, name: &str) -> String {
    let url = server.url();
    let users = server.tokens();
    let mut text = format!("simulated {name}: {url}\nusers and their tokens (they open nothing else):\n");
    for token in &users.tokens {
        let user = token.user.and_then(|id| users.user(id));
        let whose = user.map_or_else(
            || "an API key, which belongs to no user".to_owned(),
            |user| if user.admin { format!("{}, the owner", user.name) } else { user.name.clone() },
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<16} {whose}", token.secret);
    }
    let _ = write!(
        text,
        "figures:  curl -s {url}/__simulator/ledger       latest requests: {url}/__simulator/requests
faults:   curl -sX PUT {url}/__simulator/faults -d '{{\"fault\": \"down\", \"path_prefix\": \"/\"}}'
          curl -sX DELETE {url}/__simulator/faults   all is well again
          others: hang, {{\"slow\": MS}}, start_page503, truncated, html_instead_of_json, empty_while_starting,
          encrypted_only, {{\"wrong_clock\": SECONDS}}, answer_lost; \"times\": N ends one by itself;
          down without a path_prefix takes these pages down too
login:    curl -sX POST '{url}/__simulator/link?code=CODE'   agree to a code, as the owner
"
    );
    text
}
