//! Runs a simulated GraphQL API at the address given as the first argument until it is interrupted.

use greenroom_graphql_simulator::{GraphQl, GraphQlOptions};
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8480".into());
    let tracker = TaskTracker::new();
    let running = GraphQl::new(GraphQlOptions::default()).start(address.parse()?, &tracker).await?;
    println!("{} with token {}", running.url(), running.tokens().owner_a());
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
