//! Histories by the hundred, made by dice: whatever a client may have gathered in
//! OpenAI's form, Google is asked in a form it accepts, at the first try, and
//! nothing that was said gets lost.
//!
//! A case is its number: [`case`] of the number that a failure names makes the
//! same history again.

use std::collections::BTreeMap;

use gemini_proxy::simulator::Simulator;
use serde_json::{Value, json};

use crate::client::{Answer, Client, chunks, text_of};
use crate::proxy::{Proxy, Road, generations};
use crate::tools::SENTINEL;

/// On each road.
const CASES: u64 = 400;

/// One in so many is asked for a stream, too.
const STREAMED: u64 = 4;

const MODELS: [&str; 5] = [
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "gemini-3-pro-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.5-flash",
];

/// Of which the stand-in has real signatures: one of each generation.
const SIGNERS: [&str; 2] = ["gemini-2.5-flash", "gemini-3.5-flash"];

/// Names that Gemini takes, and names that must be written otherwise: two of them
/// differ only in what it does not take.
const NAMES: [&str; 8] = [
    "get_weather",
    "mcp.server:tool-1",
    "read file",
    "read/file",
    "1st",
    "größe_東京",
    "_",
    "a_name_that_goes_on_for_much_longer_than_the_sixty_four_letters_allowed",
];

/// One pixel.
const IMAGE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

/// SplitMix64: few lines, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// A request, and what must be true of what Google is asked for it.
struct Case {
    request: Value,
    /// Texts that must come through.
    said: Vec<String>,
    images: usize,
    /// Of no run of Google's: refused, and asked again without.
    has_foreign_signature: bool,
}

/// Writes a history, message by message.
struct Writer<'a> {
    dice: Dice,
    /// Calls that Google made, signed.
    issued: &'a [Value],
    messages: Vec<Value>,
    said: Vec<String>,
    images: usize,
    has_foreign_signature: bool,
    words: usize,
}

fn case(number: u64, issued: &[Value]) -> Case {
    let mut writer = Writer {
        dice: Dice(number),
        issued,
        messages: Vec::new(),
        said: Vec::new(),
        images: 0,
        has_foreign_signature: false,
        words: 0,
    };
    writer.history();
    let mut request = json!({
        "model": writer.dice.pick(&MODELS),
        "messages": writer.messages,
    });
    declare_tools(&mut request, &mut writer.dice);
    Case {
        request,
        said: writer.said,
        images: writer.images,
        has_foreign_signature: writer.has_foreign_signature,
    }
}

impl Writer<'_> {
    fn history(&mut self) {
        for _ in 0..self.dice.below(3) {
            self.instruction();
        }
        for _ in 0..=self.dice.below(8) {
            match self.dice.below(12) {
                0..=3 => self.user(),
                4..=5 => self.assistant(),
                6..=9 => self.tool_step(),
                10 => self.step_of_old(),
                _ => self.instruction(),
            }
        }
    }

    /// A text like no other, so that it can be found again.
    fn text(&mut self) -> String {
        self.words += 1;
        let text = format!("«{}»", self.words);
        self.said.push(text.clone());
        text
    }

    fn text_or_nothing(&mut self) -> String {
        match self.dice.one_in(6) {
            true => String::new(),
            false => self.text(),
        }
    }

    /// A string, or a list of up to two texts.
    fn content(&mut self) -> Value {
        if self.dice.one_in(2) {
            return json!(self.text_or_nothing());
        }
        let count = self.dice.below(3);
        let texts = (0..count).map(|_| self.text_part());
        texts.collect()
    }

    fn text_part(&mut self) -> Value {
        json!({"type": "text", "text": self.text_or_nothing()})
    }

    fn image_part(&mut self) -> Value {
        self.images += 1;
        json!({"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}})
    }

    fn instruction(&mut self) {
        let role = *self.dice.pick(&["system", "developer"]);
        let content = self.content();
        self.messages
            .push(json!({"role": role, "content": content}));
    }

    fn user(&mut self) {
        let mut message = json!({"role": "user", "content": self.content()});
        if self.dice.one_in(4) {
            let at = self.dice.below(2);
            let mut parts = vec![self.text_part(), self.text_part()];
            parts.insert(at, self.image_part());
            // The texts drawn first are said no more.
            self.forget(&message["content"]);
            message["content"] = json!(parts);
        }
        if self.dice.one_in(8) {
            message["name"] = json!(self.dice.pick(&["ada", "bob"]));
        }
        self.messages.push(message);
    }

    fn forget(&mut self, content: &Value) {
        let content = content.to_string();
        self.said.retain(|text| !content.contains(text));
    }

    fn assistant(&mut self) {
        let message = match self.dice.below(6) {
            0 => json!({"role": "assistant", "content": [
                {"type": "refusal", "refusal": self.text()}]}),
            1 => json!({"role": "assistant", "content": null, "refusal": self.text()}),
            2 => json!({"role": "assistant", "content": self.text(), "reasoning_content": "Hm.",
                "refusal": null, "annotations": [], "audio": null}),
            _ => json!({"role": "assistant", "content": self.content()}),
        };
        self.messages.push(message);
    }

    /// One to three calls, and all their results in any order.
    fn tool_step(&mut self) {
        // Some clients count from 0 in every answer.
        let first_id = self.dice.below(4);
        let count = 1 + self.dice.below(3);
        let calls: Vec<_> = (0..count).map(|nth| self.call(first_id + nth)).collect();
        let mut message = json!({"role": "assistant", "content": null, "tool_calls": calls});
        match self.dice.below(4) {
            0 => message["content"] = self.content(),
            1 => drop(message.as_object_mut().unwrap().remove("content")),
            _ => {}
        }
        if self.dice.one_in(3) {
            message["reasoning_content"] = json!("Hm.");
        }
        self.messages.push(message);
        let mut results: Vec<_> = calls.iter().map(|call| self.result(&call["id"])).collect();
        let by = self.dice.below(count);
        results.rotate_left(by);
        self.messages.extend(results);
    }

    fn call(&mut self, id: usize) -> Value {
        let id = format!("call_{id}");
        match self.dice.below(8) {
            0 => self.issued_call(),
            1 => {
                let name = self.dice.pick(&NAMES);
                json!({"id": id, "type": "custom",
                    "custom": {"name": name, "input": self.text_or_nothing()}})
            }
            _ => {
                let function = self.function();
                let mut call = json!({"id": id, "type": "function", "function": function});
                self.sign(&mut call);
                call
            }
        }
    }

    fn function(&mut self) -> Value {
        let text = self.text();
        let arguments = match self.dice.below(6) {
            0 => json!({"city": text, "nested": {"$ref": "#", "list": [1, null]}}).to_string(),
            1 => json!([text]).to_string(),
            // What a model began and never ended.
            2 => format!("{{\"city\": \"{text}"),
            3 => {
                self.said.pop();
                self.dice.pick(&["", "{}", " ", "null"]).to_string()
            }
            _ => json!({ "city": text }).to_string(),
        };
        json!({"name": self.dice.pick(&NAMES), "arguments": arguments})
    }

    /// Some clients keep signatures, some lose them, and some bring wrong ones.
    fn sign(&mut self, call: &mut Value) {
        let signature = match self.dice.below(24) {
            0..=2 => SENTINEL,
            3 => "",
            4 => {
                self.has_foreign_signature = true;
                "bm90IGZyb20gaGVyZQ=="
            }
            _ => return,
        };
        call["extra_content"] = json!({"google": {"thought_signature": signature}});
    }

    /// Perhaps made by another model than is asked now; perhaps used before.
    fn issued_call(&mut self) -> Value {
        let mut call = self.dice.pick(self.issued).clone();
        let is_in_use = self.messages.iter().any(|message| {
            let calls = message["tool_calls"].as_array();
            calls.is_some_and(|calls| calls.iter().any(|given| given["id"] == call["id"]))
        });
        if is_in_use || self.dice.one_in(2) {
            drop(call.as_object_mut().unwrap().remove("extra_content"));
        }
        call
    }

    fn result(&mut self, id: &Value) -> Value {
        let content = match self.dice.below(8) {
            0 => json!(json!({"sky": self.text(), "$ref": "x"}).to_string()),
            1 => json!(json!([1, self.text()]).to_string()),
            2 if self.dice.one_in(2) => json!([self.text_part(), self.image_part()]),
            2 => json!([self.image_part()]),
            _ => self.content(),
        };
        json!({"role": "tool", "tool_call_id": id, "content": content})
    }

    /// Before calls had ids.
    fn step_of_old(&mut self) {
        let function = self.function();
        let result = json!({"role": "function", "name": function["name"], "content": self.text()});
        self.messages
            .push(json!({"role": "assistant", "content": null, "function_call": function}));
        self.messages.push(result);
    }
}

/// None, some or all, whatever the history has called.
fn declare_tools(request: &mut Value, dice: &mut Dice) {
    let names: Vec<_> = NAMES.iter().filter(|_| dice.one_in(3)).collect();
    if names.is_empty() {
        return;
    }
    let tools: Vec<_> = names.iter().map(|name| tool(name, dice)).collect();
    request["tools"] = json!(tools);
    let named = json!({"type": "function", "function": {"name": dice.pick(&names)}});
    match dice.below(6) {
        0 => request["tool_choice"] = json!("none"),
        1 => request["tool_choice"] = json!("required"),
        2 => request["tool_choice"] = named,
        _ => {}
    }
}

fn tool(name: &str, dice: &mut Dice) -> Value {
    let parameters = match dice.below(4) {
        0 => return json!({"type": "function", "function": {"name": name}}),
        1 => json!({}),
        2 => json!({"type": "object", "properties": {}, "additionalProperties": false}),
        _ => json!({"type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"], "$schema": "http://json-schema.org/draft-07/schema#"}),
    };
    json!({"type": "function", "strict": true, "function":
        {"name": name, "description": "", "parameters": parameters, "strict": true}})
}

#[test]
fn google_accepts_whatever_a_client_has_gathered_by_code_assist() {
    accepts_all(Road::CodeAssist);
}

#[test]
fn google_accepts_whatever_a_client_has_gathered_by_the_gemini_api() {
    accepts_all(Road::GeminiApi);
}

fn accepts_all(road: Road) {
    let simulator = Simulator::start().unwrap();
    let proxy = road.home(&simulator).serve();
    let issued: Vec<_> = SIGNERS
        .iter()
        .map(|model| signed_call(model, &simulator, &proxy))
        .collect();
    let mut client = Client::connect(&proxy.host);
    for number in 0..CASES {
        let case = case(number, &issued);
        let scene = Scene {
            number,
            case: &case,
        };
        // Only what is asked for this case; what was signed stays signed.
        simulator.reset();
        let whole = ask(&mut client, &case.request);
        scene.is_true(whole.status == 200, || whole.text().to_owned());
        let tries = generations(&simulator).len();
        let allowed = 1 + usize::from(case.has_foreign_signature);
        scene.is_true(tries <= allowed, || format!("it took {tries} tries"));
        check_question(&scene, &road.asked(&simulator));
        let whole = whole.success();
        check_answer(&scene, &whole);
        if number % STREAMED == 0 {
            check_stream(&scene, &mut client, &whole);
        }
    }
}

fn signed_call(model: &str, simulator: &Simulator, proxy: &Proxy) -> Value {
    let call = json!({"name": "get_weather", "args": {"city": "Zürich", "days": 1}});
    simulator
        .script(json!([{"thought": "Hm.", "calls": [call]}]))
        .unwrap();
    let request = json!({"model": model, "messages": [{"role": "user", "content": "Weather?"}],
        "tools": [{"type": "function", "function": {"name": "get_weather"}}]});
    let answer = proxy.chat(&request).success();
    let call = answer["choices"][0]["message"]["tool_calls"][0].clone();
    assert!(call["extra_content"]["google"]["thought_signature"].is_string());
    call
}

fn ask(client: &mut Client, request: &Value) -> Answer {
    let body = request.to_string();
    client.send("POST", "/v1/chat/completions", &[], body.as_bytes());
    client.answer()
}

/// What a failure tells.
struct Scene<'a> {
    number: u64,
    case: &'a Case,
}

impl Scene<'_> {
    #[track_caller]
    fn is_true(&self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            let (number, request) = (self.number, &self.case.request);
            panic!("case {number}: {}\n{request:#}", complaint());
        }
    }
}

/// Nothing that was said may get lost on the way, and nothing may be said twice.
fn check_question(scene: &Scene<'_>, asked: &Value) {
    let written = asked.to_string();
    for text in &scene.case.said {
        let count = written.matches(text).count();
        scene.is_true(count == 1, || {
            format!("{text} came {count} times\n{asked:#}")
        });
    }
    let images = written.matches("\"inlineData\"").count();
    scene.is_true(images == scene.case.images, || format!("{images} images"));
    scene.is_true(!written.contains("Hm."), || "thoughts came back".to_owned());
}

fn check_answer(scene: &Scene<'_>, answer: &Value) {
    let count = |name: &str| answer["usage"][name].as_u64().unwrap();
    let sum = count("prompt_tokens") + count("completion_tokens");
    let usage = || answer["usage"].to_string();
    scene.is_true(sum == count("total_tokens"), usage);
    let message = &answer["choices"][0]["message"];
    let declared: Vec<_> = elements(&scene.case.request["tools"])
        .iter()
        .map(|tool| &tool["function"]["name"])
        .collect();
    let calls = elements(&message["tool_calls"]);
    for call in calls {
        let name = &call["function"]["name"];
        scene.is_true(declared.contains(&name), || format!("{name} is called"));
    }
    let says = message["content"].as_str().unwrap_or_default();
    scene.is_true(!says.is_empty() || !calls.is_empty(), || answer.to_string());
}

/// A stream adds up to what is said in one piece.
fn check_stream(scene: &Scene<'_>, client: &mut Client, whole: &Value) {
    let mut request = scene.case.request.clone();
    request["stream"] = json!(true);
    request["stream_options"] = json!({"include_usage": true});
    let streamed = ask(client, &request);
    scene.is_true(streamed.status == 200, || streamed.text().to_owned());
    let events: Vec<_> = streamed
        .text()
        .split_terminator("\n\n")
        .map(str::to_owned)
        .collect();
    let message = &whole["choices"][0]["message"];
    let text = text_of(&events);
    let is_same = text == message["content"].as_str().unwrap_or_default();
    scene.is_true(is_same, || format!("streamed {text:?}, whole {message}"));
    let calls = calls_of(&events);
    let is_same = calls == functions(&message["tool_calls"]);
    scene.is_true(is_same, || format!("streamed {calls:?}, whole {message}"));
    let usage = chunks(&events).pop().unwrap()["usage"].clone();
    let is_same = usage == whole["usage"];
    scene.is_true(is_same, || format!("{usage}, whole {}", whole["usage"]));
}

/// Names and arguments of the calls that events spell, by index.
fn calls_of(events: &[String]) -> Vec<(String, String)> {
    let mut calls: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for chunk in chunks(events) {
        for call in elements(&chunk["choices"][0]["delta"]["tool_calls"]) {
            let spelt = calls.entry(call["index"].as_u64().unwrap()).or_default();
            let (name, arguments) = function(call);
            spelt.0.push_str(&name);
            spelt.1.push_str(&arguments);
        }
    }
    calls.into_values().collect()
}

fn functions(calls: &Value) -> Vec<(String, String)> {
    elements(calls).iter().map(function).collect()
}

fn function(call: &Value) -> (String, String) {
    let field = |name: &str| call["function"][name].as_str().unwrap_or_default().into();
    (field("name"), field("arguments"))
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
