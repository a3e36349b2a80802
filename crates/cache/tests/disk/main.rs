//! What may happen to a disk, done to it: while nobody looks, and while everybody reads and writes. Whatever it is,
//! every request is answered, with what is right, and writing comes back when the trouble ends.

mod back;
mod blocked;
mod damage;
mod ears;
mod log;
mod running;
mod stage;
mod straits;
