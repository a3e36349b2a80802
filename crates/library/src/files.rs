//! Which item a file belongs to.
