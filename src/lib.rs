//! gemini-proxy: talk to Google's Gemini models through the OpenAI API.
pub mod cli;
pub mod config;
pub mod http;
pub mod models;
pub mod oauth;
pub mod secret;
pub mod server;
pub mod simulator;
pub mod translate;
pub mod upstream;
pub mod wire;
