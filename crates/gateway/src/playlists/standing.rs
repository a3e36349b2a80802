//! What is kept in step by itself.
