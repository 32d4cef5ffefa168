//! Why an account may not work, in words for its owner: what happened, Google's
//! own words, the next step.

use crate::upstream::google_error::{GoogleError, Link};
use crate::wire::provisioning::IneligibleTier;

/// Only the account's owner, or their administrator, can mend these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    #[error(
        "Google refuses Code Assist to personal accounts since 18 June 2026{}; the ways out: set \
         GEMINI_API_KEY to a key of the official Gemini API, from \
         https://aistudio.google.com/apikey, or sign in with a Code Assist Standard or Enterprise \
         licence and set GOOGLE_CLOUD_PROJECT to its project",
        all_said(said)
    )]
    UnsupportedClient { said: Vec<String> },
    #[error(
        "Google wants to verify this account{}; {}, then try again, without another sign-in{}",
        all_said(&[said]), visit(link), more(learn_more)
    )]
    ValidationRequired {
        said: String,
        link: Option<String>,
        learn_more: Option<String>,
    },
    #[error(
        "Google does not offer Code Assist to this account{}; sign in with another account, or set \
         GEMINI_API_KEY to a key from https://aistudio.google.com/apikey",
        given(reasons)
    )]
    Ineligible { reasons: Vec<Reason> },
    #[error(
        "this account needs a Google Cloud project: set GOOGLE_CLOUD_PROJECT to the id of the one \
         that Code Assist is licensed for (https://goo.gle/gemini-cli-auth-docs#workspace-gca)"
    )]
    ProjectRequired,
    #[error(
        "the project cloudshell-gca belongs to Cloud Shell and serves nobody else; set \
         GOOGLE_CLOUD_PROJECT to a project of your own"
    )]
    CloudShellProject,
    #[error(
        "{} is switched off in {}{}; switch it on{}, wait a few minutes and try again",
        service, named(project), all_said(&[said]), at(activation_url)
    )]
    ServiceDisabled {
        /// Such as `cloudaicompanion.googleapis.com`.
        service: String,
        project: Option<String>,
        said: String,
        activation_url: Option<String>,
    },
    #[error(
        "this account has no Code Assist licence in {}{}; ask the administrator for one{}",
        named(project), all_said(&[said]), at(link)
    )]
    NoLicence {
        project: Option<String>,
        said: String,
        link: Option<String>,
    },
    #[error(
        "the organisation's Code Assist subscription does not name this account{}; ask the \
         administrator to assign it a licence", all_said(&[said])
    )]
    NotNamed { said: String },
    #[error(
        "this account may not use Code Assist in {}{}; ask the project's owner for the role \
         roles/cloudaicompanion.user, or set GOOGLE_CLOUD_PROJECT to another project",
        named(project), all_said(&[said])
    )]
    MissingRole {
        project: Option<String>,
        said: String,
    },
    #[error(
        "Google does not know {}{}; set GOOGLE_CLOUD_PROJECT to the id of an existing project",
        named(project), all_said(&[said])
    )]
    UnknownProject {
        project: Option<String>,
        said: String,
    },
    /// `INVALID_ARGUMENT` on provisioning has been seen to mean the project only.
    #[error(
        "Google does not accept the request for {}{}; mostly this means a missing or wrong \
         project: check GOOGLE_CLOUD_PROJECT", named(project), all_said(&[said])
    )]
    DoubtfulProject {
        project: Option<String>,
        said: String,
    },
    #[error(
        "Google has suspended this account for a violation of its terms{}; it must not be used \
         any further{}", all_said(&[said]), appeal_at(appeal)
    )]
    Suspended { said: String, appeal: Option<Link> },
    #[error(
        "VPC Service Controls keep this account out{}; ask the administrator", all_said(&[said])
    )]
    SecurityPolicy { said: String },
    #[error(
        "the sign-in does not cover Google Cloud{}; sign in again and leave every box on Google's \
         page ticked", all_said(&[said])
    )]
    MissingScope { said: String },
    #[error("Google refuses this account (HTTP {status}){}", all_said(&[said]))]
    Declined { status: u16, said: String },
}

/// Why one tier is not offered. Either may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `UNSUPPORTED_LOCATION`, … Google knows more of them than its clients do.
    pub code: String,
    pub message: String,
}

impl AccountRefusal {
    /// The account may not have these tiers, and was offered no other.
    pub(super) fn ineligible(tiers: &[IneligibleTier]) -> Self {
        let is_unsupported =
            |tier: &IneligibleTier| tier.reason_code.as_deref() == Some("UNSUPPORTED_CLIENT");
        if tiers.iter().any(is_unsupported) {
            let messages = tiers.iter().filter_map(|tier| tier.reason_message.clone());
            return Self::UnsupportedClient {
                said: messages.collect(),
            };
        }
        let reason = |tier: &IneligibleTier| Reason {
            code: tier.reason_code.clone().unwrap_or_default(),
            message: tier.reason_message.clone().unwrap_or_default(),
        };
        Self::Ineligible {
            reasons: tiers.iter().map(reason).collect(),
        }
    }

    /// Google's answer to a provisioning request for `project`.
    pub fn from_google(error: &GoogleError, project: Option<&str>) -> Self {
        let said = error.message.clone();
        let link = error.links.first().map(|link| link.url.clone());
        let metadata = |name: &str| error.metadata.get(name).cloned();
        let reason = error.reason.as_deref().unwrap_or_default();
        let owned = project.map(str::to_owned);
        match reason {
            "TOS_VIOLATION" => Self::Suspended {
                said,
                appeal: metadata("appeal_url").map(|url| Link {
                    description: metadata("appeal_url_link_text").unwrap_or_default(),
                    url,
                }),
            },
            "VALIDATION_REQUIRED" => Self::ValidationRequired {
                said,
                link: link.or_else(|| metadata("validation_link")),
                learn_more: learn_more(&error.links),
            },
            _ if error.http_status == 403 && project == Some("cloudshell-gca") => {
                Self::CloudShellProject
            }
            "SERVICE_DISABLED" => Self::ServiceDisabled {
                service: metadata("service").unwrap_or("the Gemini for Google Cloud API".into()),
                project: owned,
                said,
                activation_url: metadata("activationUrl"),
            },
            "SUBSCRIPTION_REQUIRED" => Self::NoLicence {
                project: owned,
                said,
                link,
            },
            "CONSUMER_INVALID" => Self::UnknownProject {
                project: owned,
                said,
            },
            "IAM_PERMISSION_DENIED" => Self::MissingRole {
                project: owned,
                said,
            },
            "SECURITY_POLICY_VIOLATED" => Self::SecurityPolicy { said },
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => Self::MissingScope { said },
            _ => Self::from_message(error.http_status, said, owned),
        }
    }

    /// Some refusals are known by their wording alone.
    fn from_message(status: u16, said: String, project: Option<String>) -> Self {
        if said.contains("must be a named user") {
            Self::NotNamed { said }
        } else if said.contains("not eligible for Gemini Code Assist") {
            let code = String::new();
            let message = said;
            Self::Ineligible {
                reasons: vec![Reason { code, message }],
            }
        } else if said.contains("caller does not have permission") {
            Self::MissingRole { project, said }
        } else if said.contains("contains an invalid argument") {
            Self::DoubtfulProject { project, said }
        } else {
            Self::Declined { status, said }
        }
    }
}

fn learn_more(links: &[Link]) -> Option<String> {
    let explains = |link: &&Link| {
        link.description.eq_ignore_ascii_case("learn more")
            || link.url.starts_with("https://support.google.com/")
    };
    links.iter().find(explains).map(|link| link.url.clone())
}

/// Google's words, verbatim.
fn all_said<T: AsRef<str>>(texts: &[T]) -> String {
    let texts = texts.iter().map(AsRef::as_ref);
    says(texts.map(quoted))
}

/// Google's words, verbatim, and its codes, for the user to search for.
fn given(reasons: &[Reason]) -> String {
    says(reasons.iter().map(|reason| {
        let message = quoted(&reason.message);
        match (message.is_empty(), reason.code.as_str()) {
            (_, "") => message,
            (true, code) => code.to_owned(),
            (false, code) => format!("{message} [{code}]"),
        }
    }))
}

fn says(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(" (Google says: {})", parts.join(", "))
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("\"{text}\"")
    }
}

fn named(project: &Option<String>) -> String {
    match project {
        Some(project) => format!("the project {project}"),
        None => "the account's project".to_owned(),
    }
}

fn at(url: &Option<String>) -> String {
    url.as_ref()
        .map_or_else(String::new, |url| format!(" at {url}"))
}

fn visit(link: &Option<String>) -> String {
    match link {
        Some(link) => format!("open {link} in a browser"),
        None => "sign in to https://myaccount.google.com in a browser".to_owned(),
    }
}

fn more(learn_more: &Option<String>) -> String {
    learn_more
        .as_ref()
        .map_or_else(String::new, |url| format!(" (more about it: {url})"))
}

fn appeal_at(appeal: &Option<Link>) -> String {
    appeal.as_ref().map_or_else(String::new, |link| {
        format!("; you can appeal at {}", link.url)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, message: &str, reason: &str, project: Option<&str>) -> AccountRefusal {
        let body = serde_json::json!({ "error": { "message": message, "details": [
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": {
                "activationUrl": "https://activate.example",
                "appeal_url": "https://appeal.example",
                "validation_link": "https://verify.example",
            }},
        ]}});
        let error = GoogleError::parse(status, body.to_string().as_bytes());
        AccountRefusal::from_google(&error, project)
    }

    #[test]
    fn each_reason_has_its_own_words_googles_words_and_a_next_step() {
        for (reason, next_step) in [
            ("TOS_VIOLATION", "https://appeal.example"),
            ("VALIDATION_REQUIRED", "https://verify.example"),
            ("SERVICE_DISABLED", "https://activate.example"),
            ("SUBSCRIPTION_REQUIRED", "ask the administrator"),
            ("CONSUMER_INVALID", "set GOOGLE_CLOUD_PROJECT"),
            ("IAM_PERMISSION_DENIED", "roles/cloudaicompanion.user"),
            ("SECURITY_POLICY_VIOLATED", "ask the administrator"),
            ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "sign in again"),
        ] {
            let text = refusal(403, "In Google's words.", reason, Some("acme")).to_string();
            assert!(text.contains(next_step), "{text}");
            assert!(text.contains("\"In Google's words.\""), "{text}");
        }
    }

    #[test]
    fn some_are_known_by_their_wording() {
        let of = |message| refusal(403, message, "", None);
        assert!(matches!(
            of("You must be a named user on your organization's subscription"),
            AccountRefusal::NotNamed { .. }
        ));
        assert!(matches!(
            of("Your current account is not eligible for Gemini Code Assist in X"),
            AccountRefusal::Ineligible { .. }
        ));
        assert!(matches!(
            of("The caller does not have permission"),
            AccountRefusal::MissingRole { .. }
        ));
        assert!(matches!(
            refusal(400, "Request contains an invalid argument.", "", None),
            AccountRefusal::DoubtfulProject { .. }
        ));
        assert!(matches!(
            of("No."),
            AccountRefusal::Declined { status: 403, .. }
        ));
    }

    #[test]
    fn cloud_shells_project_is_nobodys() {
        let of = |status, project| refusal(status, "No.", "", Some(project));
        assert_eq!(of(403, "cloudshell-gca"), AccountRefusal::CloudShellProject);
        assert_ne!(of(400, "cloudshell-gca"), AccountRefusal::CloudShellProject);
        assert_ne!(of(403, "acme"), AccountRefusal::CloudShellProject);
    }
}
