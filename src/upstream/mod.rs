//! How we ask Google.
pub mod account;
pub mod google_error;
pub mod onboarding;
