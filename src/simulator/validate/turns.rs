//! Turns: `user` and `model` alternate, and every call finds its result in the
//! content right behind it.

use serde_json::Value;

use super::{Verdict, elements};
use crate::simulator::errors::GoogleError;

const CALL_AFTER_USER: &str = "Please ensure that function call turn comes immediately after a \
    user turn or after a function response turn.";
const RESPONSE_AFTER_CALL: &str = "Please ensure that function response turn comes immediately \
    after a function call turn.";
const AS_MANY: &str = "Please ensure that the number of function response parts is equal to the \
    number of function call parts of the function call turn.";

/// The roles alternate, beginning and ending with `user`.
pub(super) fn check_alternation(request: &Value) -> Verdict {
    let roles: Vec<&str> = elements(&request["contents"])
        .iter()
        .map(|content| content["role"].as_str().unwrap_or_default())
        .collect();
    if roles.windows(2).any(|pair| pair[0] == pair[1]) || roles.first() == Some(&"model") {
        return refuse("Please ensure that multiturn requests alternate between user and model.");
    }
    if roles.last() == Some(&"model") {
        return refuse(
            "Please ensure that multiturn requests end with a user role or a function response.",
        );
    }
    Ok(())
}

/// Calls stand in `model` contents, results in the `user` content behind them:
/// as many, in the same order, before anything else, of the same names and ids.
pub(super) fn check_calls(request: &Value) -> Verdict {
    let contents = elements(&request["contents"]);
    let mut asked: Vec<&Value> = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        let calls = members(content, "functionCall");
        let responses = members(content, "functionResponse");
        if !calls.is_empty() && (index == 0 || content["role"] != "model") {
            return refuse(CALL_AFTER_USER);
        }
        if !responses.is_empty() && (asked.is_empty() || content["role"] != "user") {
            return refuse(RESPONSE_AFTER_CALL);
        }
        if responses.len() != asked.len() {
            return refuse(AS_MANY);
        }
        check_results_come_first(content, responses.len())?;
        for (call, response) in asked.iter().zip(&responses) {
            check_answer(call, response)?;
        }
        asked = calls;
    }
    if asked.is_empty() {
        Ok(())
    } else {
        refuse(AS_MANY)
    }
}

fn members<'a>(content: &'a Value, key: &str) -> Vec<&'a Value> {
    elements(&content["parts"])
        .iter()
        .filter_map(|part| part.get(key))
        .collect()
}

fn check_results_come_first(content: &Value, count: usize) -> Verdict {
    let first = elements(&content["parts"]).iter().take(count);
    for part in first {
        if part.get("functionResponse").is_none() {
            return refuse(RESPONSE_AFTER_CALL);
        }
    }
    Ok(())
}

fn check_answer(call: &Value, response: &Value) -> Verdict {
    if call["name"] != response["name"] {
        return refuse(&format!(
            "Please ensure that function response parts are in the order of their function call \
             parts: the call {} was answered by {}.",
            call["name"], response["name"]
        ));
    }
    // An id is echoed on both, or on neither.
    if call.get("id") != response.get("id") {
        return refuse(&format!(
            "Please ensure that the id of a function response is that of its function call: the \
             call {} has {}, its response {}.",
            call["name"], call["id"], response["id"]
        ));
    }
    Ok(())
}

fn refuse(message: &str) -> Verdict {
    Err(GoogleError::invalid_argument(message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(parts: &[Value]) -> Value {
        json!({"role": "user", "parts": parts})
    }

    fn model(parts: &[Value]) -> Value {
        json!({"role": "model", "parts": parts})
    }

    fn call(name: &str) -> Value {
        json!({"functionCall": {"name": name, "id": name}})
    }

    fn response(name: &str) -> Value {
        json!({"functionResponse": {"name": name, "id": name, "response": {}}})
    }

    fn verdict(contents: &[Value]) -> String {
        let request = json!({"contents": contents});
        match check_calls(&request).and_then(|()| check_alternation(&request)) {
            Ok(()) => "fine".into(),
            Err(error) => error.body["error"]["message"]
                .as_str()
                .unwrap_or_default()
                .into(),
        }
    }

    #[test]
    fn calls_are_answered_at_once_in_number_and_in_order() {
        let hello = json!({"text": "hello"});
        let ask = user(std::slice::from_ref(&hello));
        let calls = model(&[call("a"), call("b")]);
        let good = user(&[response("a"), response("b"), hello.clone()]);
        assert_eq!(verdict(&[ask.clone(), calls.clone(), good]), "fine");

        let swapped = user(&[response("b"), response("a")]);
        let few = user(&[response("a")]);
        let late = user(&[hello, response("a"), response("b")]);
        for (contents, complaint) in [
            (
                vec![ask.clone(), calls.clone(), swapped],
                "the call \"a\" was answered by \"b\"",
            ),
            (vec![ask.clone(), calls.clone(), few.clone()], AS_MANY),
            (vec![ask.clone(), calls.clone()], AS_MANY),
            (vec![ask.clone(), calls.clone(), late], RESPONSE_AFTER_CALL),
            (vec![calls.clone(), few.clone()], CALL_AFTER_USER),
            (vec![few], RESPONSE_AFTER_CALL),
            (
                vec![ask.clone(), ask.clone()],
                "alternate between user and model",
            ),
            (
                vec![ask, model(&[json!({"text": "x"})])],
                "end with a user role",
            ),
        ] {
            let said = verdict(&contents);
            assert!(said.contains(complaint), "{said}");
        }
    }
}
