//! The worker of prefetch: looks at answers that have left, and loads what their clients are likely to ask next. What it
//! works on is kept in [`crate::prefetch`].

mod batch;
mod load;

use std::sync::Arc;

use greenroom_dialect::credential::Secret;
use greenroom_dialect::sequel::Asker;
use greenroom_dialect::sequel::habits::Limits;

use crate::prefetch::Heard;
use crate::prefetch::batch::Round;
use crate::prefetch::clients::Guest;
use crate::prefetch::policy::Skip;
use crate::server::Server;

/// Looks at answers that have left, and runs the rounds that come of them, until the process ends. Does nothing where
/// prefetch is off.
pub async fn keep(server: Arc<Server>) {
    if !server.origin.settings.prefetch.enabled {
        return;
    }
    tokio::select! {
        () = server.origin.stop.cancelled() => {}
        () = listen(&server) => {}
        () = work(&server) => {}
    }
}

async fn listen(server: &Server) {
    loop {
        let heard = server.prefetch.heard.oldest().await;
        learn(server, &heard);
        // Many may have come at once, and others have work to do as well.
        tokio::task::yield_now().await;
    }
}

/// The newest first: that is where the client is now.
async fn work(server: &Arc<Server>) {
    loop {
        let round = server.prefetch.rounds.newest().await;
        batch::run(round, server).await;
    }
}

/// Learns from what was asked, and makes a round of what is likely to be asked next.
fn learn(server: &Server, heard: &Heard) {
    let Heard { meaning, read, body, at_ms } = heard;
    let (kind, settings) = (server.origin.settings.kind, &server.origin.settings.prefetch);
    if meaning.identity.is_forgotten() || meaning.identity.is_refused() {
        return;
    }
    let guest = Guest::new(meaning);
    let account = meaning.identity.account();
    let token = meaning.credential.token.as_ref().map(Secret::expose);
    let asker = Asker { own_user: account.as_deref(), token };
    let limits = Limits { most: settings.max_per_answer, classes: &settings.classes };
    let expected = server.prefetch.guests.with(&guest, *at_ms, |habits| {
        habits.learn(kind, read);
        habits.show(kind, read, body, asker, limits)
    });
    if expected.is_empty() {
        return;
    }
    let round = Round { guest, meaning: Arc::clone(meaning), expected, at_ms: *at_ms };
    if let Some(dropped) = server.prefetch.rounds.push(round) {
        server.prefetch.tally.skip(Skip::Overtaken, dropped.expected.len());
    }
}
