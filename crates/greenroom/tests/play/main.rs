//! Tests of the whole process: a media server behind it, clients in front of it.
//!
//! One program for all of them, so that it is linked once. A file is a promise or a hazard.

#![allow(unreachable_pub, missing_docs, reason = "nothing here is seen from outside")]

mod app_rhythms;
mod arrows;
mod bad_input;
mod binary;
mod bound;
mod bypass;
mod cache_status;
mod cache_tools;
mod closing_connections;
mod crawling;
mod crowd;
mod dashboards;
mod deferred;
mod doctor;
mod doctor_switches;
mod encryption;
mod failures;
mod feed;
mod fixture;
mod gaps;
mod hazards;
mod hung_files;
mod jellyfin_routes;
mod kept;
mod library;
mod listening;
mod login;
mod matching;
mod media;
mod memory;
mod missing;
mod mixing;
mod not_down;
mod notices;
mod observe;
mod one_account;
mod outages;
mod ownership;
mod packaging;
mod paging;
mod playlists;
mod prefetch;
mod queue;
mod reach_of_plex_writes;
mod reaching;
mod recognition;
mod regressions;
mod remote;
mod request_bodies;
mod restarts;
mod rooms;
mod shrunk;
mod slept;
mod sockets;
mod sockets_dropped;
mod sockets_kept;
mod statistics;
mod statistics_kept;
mod traces;
mod twelve;
mod undone;
mod why;
