//! gemini-proxy: talk to Google's Gemini models through the OpenAI API.
pub mod config;
pub mod http;
pub mod secret;
pub mod simulator;
