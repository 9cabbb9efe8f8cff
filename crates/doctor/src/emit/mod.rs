//! Texts for what ecru does not edit in place.

pub mod cloud_init;
pub mod user_data;
