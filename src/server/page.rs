//! The pages that a person sees at sign-in: one quiet layout, no script, nothing
//! from any other host.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::server::transport::writer::Reply;

const LAYOUT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// How it went.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mood {
    Good,
    Bad,
    Calm,
}

/// A page in the making. All text is escaped.
#[derive(Debug)]
pub(super) struct Page {
    status: u16,
    mood: Mood,
    title: String,
    content: String,
}

impl Page {
    pub(super) fn new(status: u16, mood: Mood, title: &str) -> Self {
        Self {
            status,
            mood,
            title: escaped(title),
            content: String::new(),
        }
    }

    pub(super) fn paragraph(self, text: &str) -> Self {
        self.add(&format!("<p>{}</p>\n", linked(text)))
    }

    /// Small print.
    pub(super) fn note(self, text: &str) -> Self {
        self.add(&format!("<p class=\"note\">{}</p>\n", linked(text)))
    }

    pub(super) fn button(self, label: &str, href: &str) -> Self {
        let (label, href) = (escaped(label), escaped(href));
        self.add(&format!(
            "<p><a class=\"button\" href=\"{href}\">{label}</a></p>\n"
        ))
    }

    fn add(mut self, html: &str) -> Self {
        self.content.push_str(html);
        self
    }

    pub(super) fn into_reply(self) -> Reply {
        let (headers, html) = (self.headers(), self.html());
        Reply::Whole {
            status: self.status,
            headers,
            body: html.into_bytes(),
        }
    }

    fn html(&self) -> String {
        let (mood, mark) = match self.mood {
            Mood::Good => ("good", "✓"),
            Mood::Bad => ("bad", "!"),
            Mood::Calm => ("calm", "i"),
        };
        // The content comes last: nothing in it is looked at again.
        LAYOUT
            .replace("{{style}}", STYLE)
            .replace("{{mood}}", mood)
            .replace("{{mark}}", mark)
            .replace("{{title}}", &self.title)
            .replace("{{content}}", &self.content)
    }

    /// Strict: a page of ours loads nothing and is framed by nobody.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        vec![
            ("content-type", "text/html; charset=utf-8".to_owned()),
            ("content-security-policy", policy),
            ("cache-control", "no-store".to_owned()),
            ("referrer-policy", "no-referrer".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ]
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut html, c| {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                c => html.push(c),
            }
            html
        })
}

/// Escaped, with `code` in backticks and https addresses as links.
pub(super) fn linked(text: &str) -> String {
    let mut html = String::new();
    for (nth, piece) in text.split('`').enumerate() {
        if nth % 2 == 1 {
            html.push_str(&format!("<code>{}</code>", escaped(piece)));
            continue;
        }
        for word in piece.split_inclusive(char::is_whitespace) {
            let address = word.trim_end().trim_end_matches(['.', ',', ')', ';', ':']);
            let address = address.trim_start_matches('(');
            if address.starts_with("https://") {
                let link = format!("<a href=\"{0}\">{0}</a>", escaped(address));
                html.push_str(&escaped(word).replacen(&escaped(address), &link, 1));
            } else {
                html.push_str(&escaped(word));
            }
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let text = "<b> `<i>` (https://x.test/?a=1&b=\"2\").";
        let expected = "&lt;b&gt; <code>&lt;i&gt;</code> (<a href=\"https://x.test/?a=1&amp;b=&quot;2&quot;\">\
            https://x.test/?a=1&amp;b=&quot;2&quot;</a>).";
        assert_eq!(linked(text), expected);
    }
}
