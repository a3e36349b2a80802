//! The prefetch worker: reads responses that were sent, and loads what their clients are likely to request next. Its
//! state is in [`crate::prefetch`].

mod batch;
mod load;

use std::sync::Arc;

use greenroom_dialect::credential::Secret;
use greenroom_prefetch::prediction::ClientContext;
use greenroom_prefetch::prediction::model::PredictionLimits;

use crate::prefetch::SentResponse;
use crate::prefetch::batch::PrefetchBatch;
use crate::prefetch::clients::ClientId;
use crate::server::Server;
use greenroom_prefetch::policy::SkipReason;

/// Reads sent responses and runs the resulting batches until shutdown. Does nothing where prefetch is off.
pub async fn run(server: Arc<Server>) {
    if !server.origin.settings.prefetch.enabled {
        return;
    }
    tokio::select! {
        () = server.origin.stop.cancelled() => {}
        () = read_responses(&server) => {}
        () = run_batches(&server) => {}
    }
}

async fn read_responses(server: &Server) {
    loop {
        let response = server.prefetch.sent_responses.pop_oldest().await;
        learn(server, &response);
        // Many responses may have arrived at once; lets other tasks run.
        tokio::task::yield_now().await;
    }
}

/// Newest first, because that is where the client is now.
async fn run_batches(server: &Arc<Server>) {
    loop {
        let batch = server.prefetch.batches.pop_newest().await;
        batch::run(batch, server).await;
    }
}

/// Learns from the request, and makes a batch of the predictions.
fn learn(server: &Server, response: &SentResponse) {
    let SentResponse { classified, read, body, at_ms } = response;
    let (kind, settings) = (server.origin.settings.kind, &server.origin.settings.prefetch);
    if classified.identity.is_forgotten() || classified.identity.is_refused() {
        return;
    }
    let client = ClientId::new(classified);
    let account = classified.identity.account();
    let token = classified.credential.token.as_ref().map(Secret::expose);
    let product = classified.credential.product.as_deref();
    let context = ClientContext { own_user: account.as_deref(), token, product };
    let limits = PredictionLimits { most: settings.max_per_answer, classes: &settings.classes };
    let predictions = server.prefetch.clients.with(&client, *at_ms, |model| {
        model.learn(kind, read);
        model.predict(kind, read, body, context, limits)
    });
    if predictions.is_empty() {
        return;
    }
    let batch = PrefetchBatch { client, classified: Arc::clone(classified), predictions, at_ms: *at_ms };
    if let Some(dropped) = server.prefetch.batches.push(batch) {
        server.prefetch.counters.record_skipped(SkipReason::Superseded, dropped.predictions.len());
    }
}
