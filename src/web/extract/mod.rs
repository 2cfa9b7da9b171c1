//! What a request brings, read with care: the client's address, cookies, proof that a form is ours.

pub mod body;
pub mod client;
pub mod cookies;
pub mod csrf;
pub mod form;
