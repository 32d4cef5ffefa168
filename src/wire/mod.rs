//! What each side says: JSON and framing, no opinions.
pub mod google_oauth;
pub mod provisioning;
