//! The prefetch worker: reads responses that were sent, and loads what their clients are likely to request next. Its
//! state is in [`crate::prefetch`].

mod batch;
mod load;

use std::sync::Arc;

use greenroom_dialect::credential::Secret;
use greenroom_dialect::prediction::ClientContext;
use greenroom_dialect::prediction::model::PredictionLimits;

use crate::prefetch::SentResponse;
use crate::prefetch::batch::PrefetchBatch;
use crate::prefetch::clients::ClientId;
use crate::prefetch::policy::SkipReason;
use crate::server::Server;

/// Reads sent responses and runs the resulting batches until shutdown. Does nothing where prefetch is off.
pub async fn run(server: Arc<Server>) {
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
        let heard = server.prefetch.sent_responses.pop_oldest().await;
        learn(server, &heard);
        // Many responses may have arrived at once; lets other tasks run.
        tokio::task::yield_now().await;
    }
}

/// Newest first, because that is where the client is now.
async fn work(server: &Arc<Server>) {
    loop {
        let round = server.prefetch.batches.pop_newest().await;
        batch::run(round, server).await;
    }
}

/// Learns from the request, and makes a batch of the predictions.
fn learn(server: &Server, heard: &SentResponse) {
    let SentResponse { classified: meaning, read, body, at_ms } = heard;
    let (kind, settings) = (server.origin.settings.kind, &server.origin.settings.prefetch);
    if meaning.identity.is_forgotten() || meaning.identity.is_refused() {
        return;
    }
    let guest = ClientId::new(meaning);
    let account = meaning.identity.account();
    let token = meaning.credential.token.as_ref().map(Secret::expose);
    let asker = ClientContext { own_user: account.as_deref(), token };
    let limits = PredictionLimits { most: settings.max_per_answer, classes: &settings.classes };
    let expected = server.prefetch.clients.with(&guest, *at_ms, |habits| {
        habits.learn(kind, read);
        habits.predict(kind, read, body, asker, limits)
    });
    if expected.is_empty() {
        return;
    }
    let round = PrefetchBatch { client: guest, classified: Arc::clone(meaning), predictions: expected, at_ms: *at_ms };
    if let Some(dropped) = server.prefetch.batches.push(round) {
        server.prefetch.counters.record_skipped(SkipReason::Superseded, dropped.predictions.len());
    }
}
