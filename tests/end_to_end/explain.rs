//! `explain`: what Google would be sent, without asking it.

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::home::{Finished, Home};
use crate::proxy::{Road, by_both_roads, question};

fn explain(home: &Home, arguments: &[&str], request: &str) -> Finished {
    let mut running = home.start(&[&["explain"], arguments].concat());
    running.type_line(request);
    running.close_input();
    let code = running.end().code();
    Finished {
        code,
        stdout: running.stdout.text(),
        stderr: running.stderr.text(),
    }
}

#[test]
fn it_shows_the_very_request_that_google_gets() {
    by_both_roads(|road, simulator, proxy| {
        for stream in [false, true] {
            let mut request = question("Grüße\n\"an alle\"");
            request["stream"] = json!(stream);
            request["reasoning_effort"] = json!("low");
            request["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
            proxy.chat(&request);
            let explained = explain(&road.home(simulator), &[], &request.to_string());
            assert_eq!(explained.code, Some(0));
            let shown: Value = serde_json::from_str(&explained.stdout).unwrap();
            let shown = match road {
                Road::CodeAssist => {
                    assert_eq!(shown["model"], "gemini-3-flash");
                    &shown["request"]
                }
                Road::GeminiApi => &shown,
            };
            assert_eq!(shown, &road.asked(simulator));
            let method = match stream {
                false => ":generateContent\n",
                true => ":streamGenerateContent?alt=sse\n",
            };
            let address = explained.stderr.starts_with("POST http://127.0.0.1:");
            assert!(address, "{}", explained.stderr);
            assert!(explained.stderr.contains(method), "{}", explained.stderr);
            let said = match road {
                Road::CodeAssist => "model: sent as gemini-3-flash, Code Assist's own name for",
                Road::GeminiApi => "Every field has the effect",
            };
            assert!(explained.stderr.contains(said), "{}", explained.stderr);
        }
    });
}

#[test]
fn it_gives_the_reason_for_whatever_is_not_as_asked() {
    let mut request = question("Hi");
    request["stop"] = json!(["1", "2", "3", "4", "5", "6"]);
    request["max_tokens"] = json!(1_000_000);
    request["user"] = json!("somebody");
    request["messages"][0]["cache_control"] = json!({"type": "ephemeral"});
    request["store"] = json!(null);
    let home = Home::bare();
    let explained = explain(&home, &["--upstream", "gemini-api"], &request.to_string());
    assert_eq!(explained.code, Some(0));
    let (_, notes) = explained.stderr.split_once("Not as asked:\n").unwrap();
    for field in ["stop", "max_tokens", "user", "messages[0].cache_control"] {
        let reason = notes
            .lines()
            .find_map(|line| line.strip_prefix(&format!("  {field}: ")));
        assert!(reason.is_some_and(|reason| reason.len() > 20), "{notes}");
    }
    assert!(!notes.contains("store"), "{notes}");
}

#[test]
fn numbers_are_shown_to_the_last_digit() {
    let call = json!({"id": "c", "function": {"name": "f", "arguments": "{\"n\": 100000000000000000001}"}});
    let mut request = question("Hi");
    request["messages"] =
        json!([request["messages"][0], {"role": "assistant", "tool_calls": [call]}]);
    let explained = explain(&Home::bare(), &[], &request.to_string());
    assert!(explained.stdout.contains("\"n\": 100000000000000000001"));
}

#[test]
fn a_request_that_is_refused_is_explained_as_the_client_would_see_it() {
    let simulator = Simulator::start().unwrap();
    let home = Home::new(&simulator);
    for (request, code) in [("{", "invalid_json"), ("{}", "missing_required_parameter")] {
        let explained = explain(&home, &[], request);
        assert_eq!((explained.code, explained.stdout.as_str()), (Some(1), ""));
        assert!(explained.stderr.contains("answered with 400"));
        assert!(explained.stderr.contains(&format!("\"code\": \"{code}\"")));
    }
    assert!(simulator.requests().is_empty());
}

#[test]
fn a_completion_of_old_is_explained_by_its_first_prompt() {
    let request = json!({"model": "gemini-2.5-flash", "prompt": ["one", "two"], "logprobs": 3,
        "user": "somebody"});
    let explained = explain(&Home::bare(), &[], &request.to_string());
    assert_eq!(explained.code, Some(0));
    assert!(explained.stdout.contains("\"text\": \"one\""));
    for note in ["logprobs: ", "prompt: each is asked by itself", "user: "] {
        assert!(explained.stderr.contains(note), "{}", explained.stderr);
    }
}

#[test]
fn it_says_what_a_second_try_would_weaken() {
    let mut request = question("Hi");
    request["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"a": {"type": "string", "pattern": "^a$"},
            "b": {"type": "integer", "minimum": 1}}}}}]);
    let home = Home::bare();
    let explained = explain(&home, &["--upstream", "gemini-api"], &request.to_string());
    let field = "tools[0].function.parameters.properties";
    let expected = format!(
        "Not as asked:\n  {field}.a.pattern: told in words: Gemini does not enforce it\n\
         And if Google refuses the schemas, in a second try:\n  {field}.b.minimum: told in words\n"
    );
    assert!(
        explained.stderr.ends_with(&expected),
        "{}",
        explained.stderr
    );
}
