//! Where the references of a JSON Schema lead, and which of them become
//! definitions: Google resolves `#/$defs/…` only, allows nothing beside a `$ref`,
//! and refuses one that leads nowhere.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Objects and lists that copies of referred schemas may add, over all of one
/// document: schemas that refer to each other twice grow without limit otherwise.
const MAX_COPIED: usize = 2_000;

/// References that lead to nothing but another reference.
const MAX_HOPS: usize = 16;

/// What a reference leads to.
pub(super) enum Found<'a> {
    /// A schema that is to stand in the reference's place.
    Target(&'a Value),
    /// The definition of this name.
    Name(String),
    /// Why it has no effect.
    Nothing(&'static str),
}

pub(super) struct References<'a> {
    root: &'a Value,
    /// Those that are being resolved where we are; of them the last ones, from
    /// `here` on, by the very schema that is being put together.
    active: Vec<String>,
    here: usize,
    /// By its pointer, the name of each definition that was asked for.
    names: HashMap<String, String>,
    asked_for: Vec<(String, &'a Value)>,
    given_out: usize,
    copied: usize,
}

impl<'a> References<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self {
            root,
            active: vec!["#".to_owned()],
            here: 0,
            names: HashMap::new(),
            asked_for: Vec::new(),
            given_out: 0,
            copied: 0,
        }
    }

    /// Another schema begins. What is returned is to be given to [`Self::leave`].
    pub(super) fn enter(&mut self) -> usize {
        std::mem::replace(&mut self.here, self.active.len())
    }

    pub(super) fn leave(&mut self, outer: usize) {
        self.active.truncate(self.here);
        self.here = outer;
    }

    /// Where a `$ref` leads, from a schema that has more to say or not. At the top,
    /// the root has to be an object, and a definition must not be another's name:
    /// such names could go round in a circle.
    pub(super) fn find(&mut self, reference: &Value, has_company: bool, at_top: bool) -> Found<'a> {
        let Some((pointer, target)) = self.follow(reference) else {
            return Found::Nothing("left out: it leads nowhere within this schema");
        };
        if self.active[self.here..].contains(&pointer) {
            return Found::Nothing("left out: it leads back to itself");
        }
        let is_definition = definition(&pointer).is_some();
        let is_recursive = self.active.contains(&pointer);
        let may_stay = is_definition && !has_company && !at_top;
        let is_root = at_top && self.active[0] == "#";
        if is_root || (!may_stay && !is_recursive && self.may_copy(target)) {
            self.active.push(pointer);
            return Found::Target(target);
        }
        let is_new = !self.names.contains_key(&pointer);
        if at_top || (!is_definition && is_new && !self.may_copy(target)) {
            return Found::Nothing("left out: what it leads to is too large to be repeated");
        }
        Found::Name(self.name(pointer, target))
    }

    /// One after the other, those that were asked for.
    pub(super) fn next_definition(&mut self) -> Option<(String, &'a Value)> {
        let (pointer, target) = self.asked_for.get(self.given_out)?.clone();
        self.given_out += 1;
        let name = self.names.get(&pointer)?.clone();
        self.active = vec![pointer];
        self.here = 0;
        Some((name, target))
    }

    fn name(&mut self, pointer: String, target: &'a Value) -> String {
        if let Some(name) = self.names.get(&pointer) {
            return name.clone();
        }
        let plain = match definition(&pointer) {
            Some(name) => plain(&name),
            None if pointer == "#" => "root".to_owned(),
            None => plain(&pointer[2..]),
        };
        let mut name = plain.clone();
        let mut nth = 2;
        while self.names.values().any(|taken| *taken == name) {
            name = format!("{plain}_{nth}");
            nth += 1;
        }
        self.names.insert(pointer.clone(), name.clone());
        self.asked_for.push((pointer, target));
        name
    }

    fn may_copy(&mut self, target: &Value) -> bool {
        let mut room = MAX_COPIED - self.copied;
        let fits = takes(target, &mut room);
        if fits {
            self.copied = MAX_COPIED - room;
        }
        fits
    }

    /// The pointer and the schema where a reference leads in the end.
    fn follow(&self, reference: &Value) -> Option<(String, &'a Value)> {
        let mut text = reference.as_str()?;
        for _ in 0..MAX_HOPS {
            let (pointer, target) = self.resolve(text)?;
            match target.as_object() {
                Some(next) if next.len() == 1 && next.contains_key("$ref") => {
                    text = next.get("$ref")?.as_str()?;
                }
                Some(_) => return Some((pointer, target)),
                None => return target.is_boolean().then_some((pointer, target)),
            }
        }
        None
    }

    /// By JSON pointer (RFC 6901) in a fragment, or by the name of an anchor.
    fn resolve(&self, text: &str) -> Option<(String, &'a Value)> {
        let fragment = percent_decode_str(text.strip_prefix('#')?)
            .decode_utf8()
            .ok()?;
        if fragment.is_empty() || fragment.starts_with('/') {
            let target = self.root.pointer(&fragment)?;
            return Some((format!("#{fragment}"), target));
        }
        let target = anchored(self.root, &fragment)?;
        Some((format!("#@{fragment}"), target))
    }
}

/// The schema that calls itself so.
fn anchored<'a>(value: &'a Value, anchor: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) if map.get("$anchor").and_then(Value::as_str) == Some(anchor) => {
            Some(value)
        }
        Value::Object(map) => map.values().find_map(|inner| anchored(inner, anchor)),
        Value::Array(list) => list.iter().find_map(|inner| anchored(inner, anchor)),
        _ => None,
    }
}

/// The name of a definition of the root's.
fn definition(pointer: &str) -> Option<String> {
    let name = ["#/$defs/", "#/definitions/"]
        .iter()
        .find_map(|place| pointer.strip_prefix(place))?;
    (!name.contains('/')).then(|| name.replace("~1", "/").replace("~0", "~"))
}

/// A name that needs no escapes in a pointer.
fn plain(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

/// Takes the room for a schema, if there is enough.
fn takes(value: &Value, room: &mut usize) -> bool {
    if !value.is_object() && !value.is_array() {
        return true;
    }
    let Some(left) = room.checked_sub(1) else {
        return false;
    };
    *room = left;
    match value {
        Value::Object(map) => map.values().all(|inner| takes(inner, room)),
        Value::Array(list) => list.iter().all(|inner| takes(inner, room)),
        _ => true,
    }
}
