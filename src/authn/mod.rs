//! How people prove who they are: one file per method; `policy` judges what a request still needs.

pub mod password;
pub mod policy;
