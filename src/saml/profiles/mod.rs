//! The judgements: what a request asks for, whether it may have it, and the answer.

pub mod authn_context;
pub mod denial;
pub mod destination;
pub mod name_id;
pub mod nearest;
pub mod respond;
pub mod service_provider;
pub mod sp_check;
pub mod subject;
pub mod web_sso;
