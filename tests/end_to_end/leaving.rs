//! Clients who leave while Google is silent: their request to Google is dropped. All of
//! it is over before a heartbeat could tell, which takes as long as our patience.

use gemini_proxy::simulator::{Recorded, Simulator};
use serde_json::{Value, json};

use crate::client::{Client, Events};
use crate::faults::stale;
use crate::proxy::{MODEL, Proxy, by_both_roads, question};
use crate::streaming::event;

/// FIN, and RST.
const WAYS: [fn(Client); 2] = [drop, Client::reset];

fn ask(proxy: &Proxy, path: &str, request: &Value) -> Client {
    let mut client = Client::connect(&proxy.host);
    client.send("POST", path, &[], request.to_string().as_bytes());
    client
}

fn chat(proxy: &Proxy, streams: bool) -> Client {
    let mut request = question("Hi");
    request["stream"] = json!(streams);
    ask(proxy, "/v1/chat/completions", &request)
}

/// Google has got the question, and says nothing.
fn wait_until_asked(simulator: &Simulator) {
    let is_question = |one: &Recorded| one.path.contains("enerateContent");
    let requests = simulator.wait_until(|requests| requests.iter().any(is_question));
    assert!(requests.iter().any(is_question), "Google was not asked");
}

/// Both see it: the proxy says so, and Google has lost its client while it still waits.
#[track_caller]
fn is_dropped(simulator: &Simulator, proxy: &Proxy, said: &str) {
    let line = proxy.log().request(said);
    assert!(line.ends_with("end=client_left"), "{line}");
    assert!(line.contains(&format!(" model={MODEL} ")), "{line}");
    let has_left = |request: &Recorded| request.client_left;
    let requests = simulator.wait_until(|requests| requests.iter().any(has_left));
    assert!(requests.iter().any(has_left), "Google still waits");
    let log = proxy.log().text();
    for word in [
        "broke_off",
        "WARN  gemini_proxy::server",
        "ERROR",
        "upstream_",
    ] {
        assert!(!log.contains(word), "{log}");
    }
}

fn each_way(test: impl Fn(&Simulator, &Proxy, fn(Client))) {
    for leave in WAYS {
        by_both_roads(|_, simulator, proxy| test(simulator, proxy, leave));
    }
}

#[test]
fn lesson_14_a_whole_answer_is_dropped_when_its_client_leaves() {
    each_way(|simulator, proxy, leave| {
        simulator.script(json!([{"hold": "never"}])).unwrap();
        let client = chat(proxy, false);
        wait_until_asked(simulator);
        leave(client);
        is_dropped(simulator, proxy, "bytes=0");
    });
}

#[test]
fn lesson_14_a_stream_is_dropped_when_its_client_leaves_before_the_first_byte() {
    each_way(|simulator, proxy, leave| {
        simulator.script(json!([{"hold": "never"}])).unwrap();
        let client = chat(proxy, true);
        wait_until_asked(simulator);
        leave(client);
        is_dropped(simulator, proxy, "bytes=0");
    });
}

#[test]
fn lesson_14_a_stream_is_dropped_when_its_client_leaves_amid_a_silence() {
    each_way(|simulator, proxy, leave| {
        let responses = json!([event("Half an"), {"gate": "never"}]);
        simulator.script(json!([{"responses": responses}])).unwrap();
        let mut events = Events::of(chat(proxy, true));
        events.next_json();
        events.next_json();
        leave(events.into_client());
        is_dropped(simulator, proxy, "google=200 bytes=7");
    });
}

#[test]
fn lesson_14_all_of_many_who_leave_at_once_are_dropped() {
    const EACH: usize = 30;
    by_both_roads(|_, simulator, proxy| {
        let half = json!([event("Half an"), {"gate": "never"}]);
        let script = json!([
            {"contains": "amid", "responses": half, "times": EACH},
            {"hold": "never", "times": "always"},
        ]);
        simulator.script(script).unwrap();
        let asked = |text: &str, streams: bool| {
            let mut request = question(text);
            request["stream"] = json!(streams);
            ask(proxy, "/v1/chat/completions", &request)
        };
        let mut clients = Vec::new();
        for _ in 0..EACH {
            clients.push(asked("a whole answer", false));
            clients.push(asked("before the first byte", true));
            let mut events = Events::of(asked("amid", true));
            events.next_json();
            events.next_json();
            clients.push(events.into_client());
        }
        let count = |requests: &[Recorded], is_so: fn(&Recorded) -> bool| {
            let questions = requests.iter();
            let questions = questions.filter(|one| one.path.contains("enerateContent"));
            questions.filter(|one| is_so(one)).count()
        };
        simulator.wait_until(|requests| count(requests, |_| true) == 3 * EACH);
        for (nth, client) in clients.into_iter().enumerate() {
            WAYS[nth % WAYS.len()](client);
        }
        let have_left = |requests: &[Recorded]| count(requests, |one| one.client_left);
        let requests = simulator.wait_until(|requests| have_left(requests) == 3 * EACH);
        assert_eq!(have_left(&requests), 3 * EACH);
    });
}

#[test]
fn what_google_has_counted_is_told_of_a_stream_that_was_left() {
    by_both_roads(|_, simulator, proxy| {
        let mut counted = event("Half");
        counted["usageMetadata"] = json!({"promptTokenCount": 3, "candidatesTokenCount": 17,
            "totalTokenCount": 20});
        let responses = json!([counted, {"gate": "never"}]);
        simulator.script(json!([{"responses": responses}])).unwrap();
        let mut events = Events::of(chat(proxy, true));
        events.next_json();
        events.next_json();
        drop(events);
        is_dropped(simulator, proxy, "tokens_in=3 tokens_out=17");
    });
}

#[test]
fn a_completion_is_dropped_when_its_client_leaves() {
    by_both_roads(|_, simulator, proxy| {
        for streams in [false, true] {
            simulator.reset();
            simulator.script(json!([{"hold": "never"}])).unwrap();
            let request = json!({"model": MODEL, "prompt": "Hi", "stream": streams});
            let client = ask(proxy, "/v1/completions", &request);
            wait_until_asked(simulator);
            drop(client);
            is_dropped(simulator, proxy, "bytes=0");
        }
    });
}

#[test]
fn a_client_who_stays_is_waited_for_while_others_leave() {
    by_both_roads(|_, simulator, proxy| {
        simulator
            .script(json!([{"hold": "later", "text": "At last", "times": 2}]))
            .unwrap();
        let mut stays = chat(proxy, false);
        wait_until_asked(simulator);
        drop(chat(proxy, false));
        is_dropped(simulator, proxy, "end=client_left");
        simulator.release("later");
        let answer = stays.answer().success();
        assert_eq!(answer["choices"][0]["message"]["content"], "At last");
    });
}

/// One client leaves who waits for Google about the account, then one who waits for
/// him; a third one gets his answer. Google is asked `times` for it.
fn while_waiting_for_the_account(kind: &str, path: &str, times: usize) {
    let simulator = Simulator::start().unwrap();
    let proxy = stale(&simulator).serve();
    let held = json!({kind: [{"hold": "later", "times": "always"}]});
    simulator.script(held).unwrap();
    let asks = chat(&proxy, true);
    let is_asked = |one: &Recorded| one.path.contains(path);
    simulator.wait_until(|requests| requests.iter().any(is_asked));
    let waits = chat(&proxy, true);
    let mut stays = chat(&proxy, false);
    drop(waits);
    proxy.log().request("end=client_left");
    drop(asks);
    assert_eq!(proxy.get("/health").success()["status"], "ok");
    assert_eq!(proxy.get("/auth/status").success()["authenticated"], true);
    let count = |requests: &[Recorded]| requests.iter().filter(|one| is_asked(one)).count();
    let requests = simulator.wait_until(|requests| count(requests) == times);
    assert_eq!(count(&requests), times);
    simulator.release("later");
    stays.answer().success();
    assert_eq!(count(&simulator.requests()), times);
}

#[test]
fn a_renewal_is_not_given_up_when_its_client_leaves_and_others_need_not_wait_for_it() {
    while_waiting_for_the_account("token", "/token", 1);
}

#[test]
fn a_project_is_looked_for_by_the_next_one_when_its_client_leaves() {
    while_waiting_for_the_account("load_code_assist", ":loadCodeAssist", 2);
}
