//! The process: a proxy per configured media server, the control plane, and the command line.
//!
//! This crate wires the others together and owns everything that touches the outside: sockets, files, signals.
//! It knows no wire shape of a media server; what a request *is* the dialects of `greenroom-upstream` say, and
//! when an answer may be served the engine of `greenroom-cache` says.
//!
//! Rooms:
//! - [`config`]: what the user wants. [`cli`]: how they say it. [`process`]: all wiring on one page.
//! - [`server`]: one media server with everything kept about it. [`origin`] and [`framing`]: asking it. [`queue`]: who may, and who
//!   waits. [`identity`]: who asks it. [`stale`]: what a write or an event does to what is kept. [`follower`]: its events.
//!   [`breaker`]: whether it is down. [`doubt`]: whether a list that came back far shorter is believed.
//! - [`listener`], [`conversation`], [`proxy`], [`body`]: from a client's connection to its answer. [`seats`] and
//!   [`bounds`]: how many there may be, and who had to stay outside.
//! - [`departure`]: what waits until an answer has left. [`taking`]: who takes nothing of it is hung up on.
//! - [`prefetch`]: what is loaded before it is asked for.
//! - [`library`]: the libraries, kept whole. [`matching`]: which item is meant. [`playlists`]: playlists from elsewhere.
//! - [`tls`]: whose certificate is believed, and which one is shown.
//! - [`jobs`]: what is done by itself from time to time.
//! - [`advice`]: what could be better; [`warnings`]: what is set up badly; [`openness`]: a server that lets its neighbours in.
//! - [`lifetimes`]: how long answers live, said while the process runs.
//! - [`resume`]: warming goes on after a restart.
//! - [`storage`]: the engine with its tiers. [`state`]: what outlives the process and is no cache.
//! - [`keys`]: the secrets of the data directory. [`greeting`]: who answers at the configured address.
//! - [`mode`]: how reads are answered. [`observe`]: what the cache would have answered. [`bypass`]: what it is kept out
//!   of. [`why`]: why one read is answered as it is.
//! - [`enquiry`]: one question to one address, for the tools of the command line. [`login`]: getting a token. [`doctor`]: what is wrong, and what to do.
//! - [`shell`]: words of the commands that are printed.
//! - [`statistics`]: what was asked, how it was answered, and what that spared the servers.
//! - [`inside`]: reads of our own for dashboards. [`dashboard`]: the figures they show. [`history`]: what was played.
//! - [`control`]: page, API, metrics. [`apps`]: which apps were seen.

pub mod advice;
pub mod apps;
pub mod body;
pub mod bounds;
pub mod breaker;
pub mod bypass;
pub mod cli;
pub mod config;
pub mod control;
pub mod conversation;
pub mod dashboard;
pub mod demo;
pub mod departure;
pub mod doctor;
pub mod doubt;
pub mod enquiry;
pub mod follower;
pub mod framing;
pub mod greeting;
pub mod history;
pub mod identity;
pub mod inside;
pub mod jobs;
pub mod keys;
pub mod library;
pub mod lifetimes;
pub mod listener;
pub mod login;
pub mod matching;
pub mod mode;
pub mod notices;
pub mod observe;
pub mod openness;
pub mod origin;
pub mod overheard;
pub mod playlists;
pub mod prefetch;
pub mod process;
pub mod proxy;
pub mod queue;
pub mod resume;
pub mod seats;
pub mod server;
pub mod shell;
pub mod stale;
pub mod state;
pub mod statistics;
pub mod storage;
pub mod taking;
pub mod tls;
pub mod traces;
pub mod warnings;
pub mod why;
