//! Caches that share a real store: one node, or a Cluster.

mod cluster;
mod figures;
mod fixture;
mod keys;
mod leadership;
mod leases;
mod outages;
mod recoveries;
mod sharing;
mod single;
