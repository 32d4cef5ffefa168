//! Schemas as clients' libraries write them, and as nobody would.

use super::*;

/// What becomes of it, and which fields are noted.
fn cleaned(schema: Value) -> (Value, Vec<String>) {
    let mut notes = Notes::default();
    let cleaned = clean(&schema, "p", &mut notes);
    let fields = notes.iter().map(|note| note.field.to_string()).collect();
    (cleaned, fields)
}

/// The same, where nothing is lost.
fn kept(schema: Value) -> Value {
    let (cleaned, notes) = cleaned(schema);
    assert_eq!(notes, Vec::<String>::new());
    cleaned
}

fn as_parameters(schema: Value) -> Value {
    parameters(&schema, "p", &mut Notes::default())
}

#[test]
fn lesson_02_properties_named_like_keywords_are_kept() {
    let schema = json!({"type": "object", "properties": {
        "default": {"type": "string", "examples": ["a"]}, "$ref": {"type": "string"},
        "strict": {"const": 1}, "x-y": true, "$comment": {"type": "null"}, "gone": false
    }, "required": ["default", "gone", "never"]});
    let expected = json!({"type": "object", "properties": {
        "default": {"type": "string"}, "$ref": {"type": "string"},
        "strict": {"enum": [1]}, "x-y": {}, "$comment": {"type": "null"}
    }, "required": ["default"]});
    assert_eq!(cleaned(schema), (expected, vec!["p.required".to_owned()]));
}

#[test]
fn parameters_are_an_object_whatever_they_say_they_are() {
    for kind in [json!("string"), json!(["object", "null"]), json!(null)] {
        let cleaned = as_parameters(json!({"type": kind}));
        assert_eq!(cleaned, json!({"type": "object", "properties": {}}));
    }
}

#[test]
fn no_parameters_are_an_empty_object() {
    let empty = json!({"type": "object", "properties": {}});
    for nothing in [json!({}), json!("nonsense"), json!(true), json!([1])] {
        assert_eq!(as_parameters(nothing), empty);
    }
}

#[test]
fn what_gemini_calls_otherwise_is_rewritten() {
    for (given, expected) in [
        (json!({"const": "a"}), json!({"enum": ["a"]})),
        (
            json!({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9.5}),
            json!({"type": "integer", "minimum": 1, "maximum": 9}),
        ),
        (
            json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}),
            json!({"type": "integer", "minimum": 4}),
        ),
        (
            json!({"type": "integer", "minimum": 7, "exclusiveMinimum": 0}),
            json!({"type": "integer", "minimum": 7}),
        ),
        (
            json!({"type": "string", "nullable": true}),
            json!({"type": ["string", "null"]}),
        ),
        (
            json!({"type": "string", "enum": ["a"], "nullable": true, "title": "T"}),
            json!({"title": "T", "anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
        ),
        (
            json!({"anyOf": [{"type": "string"}], "description": "d"}),
            json!({"description": "d", "type": "string"}),
        ),
        (
            json!({"type": "array", "items": [{"type": "string"}, true], "additionalItems": false}),
            json!({"type": "array", "prefixItems": [{"type": "string"}, {}], "maxItems": 2}),
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "null"}], "items": false, "maxItems": 4}),
            json!({"type": "array", "prefixItems": [{"type": "null"}], "maxItems": 1}),
        ),
        (
            json!({"allOf": [
                {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                {"properties": {"b": {"type": "null"}}, "required": ["b"]}]}),
            json!({"type": "object", "required": ["a", "b"],
                "properties": {"a": {"type": "string"}, "b": {"type": "null"}}}),
        ),
        (json!({"type": "STRING"}), json!({"type": "string"})),
        (
            json!({"anyOf": [false, {"type": "string"}, {"type": "null"}]}),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ),
    ] {
        assert_eq!(kept(given.clone()), expected, "{given}");
    }
}

#[test]
fn rules_that_gemini_does_not_know_are_told_and_named() {
    let (cleaned, notes) = cleaned(json!({
        "type": "object", "$schema": "s", "$id": "i", "x-order": 1, "examples": [{}],
        "properties": {
            "a": {"type": "string", "pattern": "^a+$", "minLength": 0, "maxLength": 5, "description": "Letters"},
            "b": {"type": "number", "exclusiveMinimum": 0.5, "multipleOf": 0.5, "not": {"const": 3}},
            "c": {"type": "object", "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": false},
            "d": {"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": {"type": "integer"}},
            "e": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
        },
        "if": {"required": ["a"]}, "then": {"required": ["b"]},
    }));
    let expected = json!({"type": "object", "properties": {
        "a": {"type": "string", "description": "Letters. Pattern: ^a+$. Characters: 5 at most."},
        "b": {"type": "number", "description": "A multiple of 0.5. More than 0.5."},
        "c": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Names of properties: ^x-."},
        "d": {"type": "object", "additionalProperties": {"type": "integer"}},
        "e": {"type": "array", "items": {"type": "string"}, "description": "No duplicates."},
    }});
    assert_eq!(cleaned, expected);
    let expected = [
        "a.pattern",
        "a.maxLength",
        "b.multipleOf",
        "b.not",
        "b.exclusiveMinimum",
        "c.patternProperties",
        "e.uniqueItems",
    ];
    let mut expected = expected
        .map(|field| format!("p.properties.{field}"))
        .to_vec();
    expected.push("p.if".into());
    assert_eq!(notes, expected);
}

#[test]
fn a_reference_alone_stays_one_and_with_company_becomes_what_it_means() {
    let schema = json!({"properties": {
        "bare": {"$ref": "#/definitions/A"}, "again": {"$ref": "#/definitions/A", "default": null},
        "told": {"$ref": "#/definitions/A", "description": "d", "default": 2},
        "all": {"allOf": [{"$ref": "#/definitions/A"}], "description": "e"},
        "maybe": {"allOf": [{"$ref": "#/definitions/A"}], "nullable": true},
        "place": {"$ref": "#/properties/told"}, "anchor": {"$ref": "#here"},
    }, "definitions": {"A": {"type": "integer", "description": "own", "default": 1}, "unused": {},
        "B": {"$anchor": "here", "type": "string"}}});
    let a = json!({"$ref": "#/$defs/A"});
    let told = json!({"description": "d", "default": 2, "type": "integer"});
    let expected = json!({"properties": {"bare": a, "again": a, "told": told,
        "all": {"description": "e", "type": "integer", "default": 1},
        "maybe": {"anyOf": [a, {"type": "null"}]}, "place": told, "anchor": {"type": "string"}},
        "$defs": {"A": {"type": "integer", "description": "own", "default": 1}}});
    assert_eq!(kept(schema), expected);
}

#[test]
fn a_root_that_only_refers_becomes_what_it_refers_to() {
    let schema = json!({"$ref": "#/definitions/A", "definitions": {
        "A": {"type": "object", "properties": {"b": {"$ref": "#/definitions/B"}}},
        "B": {"type": "array", "items": [{"type": "string", "strict": true}]}
    }});
    let expected = json!({"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}},
        "$defs": {"B": {"type": "array", "prefixItems": [{"type": "string"}]}}});
    assert_eq!(kept(schema), expected);
}

#[test]
fn trees_refer_to_themselves_and_what_cannot_be_said_beside_it_is_named() {
    let (tree, notes) = cleaned(json!({"type": "object", "properties": {
        "children": {"type": "array", "items": {"$ref": "#"}}}}));
    let node = json!({"type": "object", "properties": {
        "children": {"type": "array", "items": {"$ref": "#/$defs/root"}}}});
    let mut expected = node.clone();
    expected["$defs"] = json!({"root": node});
    assert_eq!((tree, notes), (expected, vec![]));

    let (tree, notes) = cleaned(json!({"$ref": "#/$defs/N", "$defs": {"N": {
        "properties": {"left": {"$ref": "#/$defs/N", "description": "smaller"}}}}}));
    let node = json!({"properties": {"left": {"$ref": "#/$defs/N"}}});
    let mut expected = node.clone();
    expected["$defs"] = json!({"N": node});
    assert_eq!(tree, expected);
    let left = "properties.left.description";
    assert_eq!(notes, [format!("p.{left}"), format!("p.$defs.N.{left}")]);
}

#[test]
fn a_reference_that_leads_nowhere_says_nothing() {
    for target in [
        "#/$defs/Gone",
        "https://example.com/s.json",
        "other.json#/a",
        "#gone",
    ] {
        let (cleaned, notes) = cleaned(json!({"properties": {
            "a": {"$ref": target, "description": "d"}}, "$defs": {}}));
        assert_eq!(cleaned, json!({"properties": {"a": {"description": "d"}}}));
        assert_eq!(notes, ["p.properties.a.$ref"]);
    }
    let circle = json!({"properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"allOf": [{"$ref": "#/$defs/B"}]}, "B": {"$ref": "#/$defs/A", "title": "b"}}});
    let (cleaned, notes) = cleaned(circle);
    let expected =
        json!({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"title": "b"}}});
    assert_eq!(cleaned, expected);
    assert_eq!(notes, ["p.$defs.A.$ref"]);
}

#[test]
fn schemas_that_double_at_each_level_stay_small() {
    let mut definitions = Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/L{}", level + 1), "description": "d"});
        let schema = json!({"type": "object", "properties": {"a": next, "b": next}});
        definitions.insert(format!("L{level}"), schema);
    }
    definitions.insert("L40".into(), json!({"type": "string"}));
    let schema = json!({"$ref": "#/$defs/L0", "$defs": definitions});
    let (cleaned, notes) = cleaned(schema);
    assert!(cleaned.to_string().len() < 200_000);
    assert!(!notes.is_empty());
}

/// Numbers without an order to them, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn one_of(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len())].clone()
    }

    fn schema(&mut self, depth: usize) -> Value {
        if depth == 0 || self.below(12) == 0 {
            return self.one_of(&[
                json!(true),
                json!(false),
                json!({}),
                json!(7),
                json!({"type": "string"}),
            ]);
        }
        let mut schema = Map::new();
        for _ in 0..=self.below(5) {
            let (keyword, value) = self.rule(depth - 1);
            schema.insert(keyword.to_owned(), value);
        }
        schema.into()
    }

    fn schemas(&mut self, depth: usize) -> Value {
        (0..self.below(4)).map(|_| self.schema(depth)).collect()
    }

    fn named(&mut self, depth: usize) -> Value {
        let names = ["a", "b/c", "$ref", "type", "A~B", "items"];
        let named = (0..self.below(4)).map(|_| {
            let name = names[self.below(names.len())];
            (name.to_owned(), self.schema(depth))
        });
        named.collect::<Map<_, _>>().into()
    }

    fn rule(&mut self, depth: usize) -> (&'static str, Value) {
        let pointers = [
            "#",
            "#/$defs/a",
            "#/$defs/b~1c",
            "#/definitions/A~0B",
            "#/properties/a",
            "#/$defs/a/properties/type",
            "#x",
            "http://e",
            "#/anyOf/0",
            "#/$defs/items",
        ];
        let pointer = pointers[self.below(pointers.len())];
        let values = [
            json!("integer"),
            json!(["string", "null"]),
            json!(3),
            json!(-1.5),
            json!(null),
            json!(true),
            json!(["a", "b/c", "type", 1]),
            json!("a"),
            json!("OBJECT"),
        ];
        let plain = [
            "type",
            "description",
            "enum",
            "const",
            "required",
            "default",
            "minimum",
            "nullable",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "pattern",
            "minLength",
            "uniqueItems",
            "format",
            "title",
            "$anchor",
            "$schema",
            "x-y",
            "strict",
            "propertyOrdering",
            "minItems",
            "examples",
        ];
        let nested = [
            "items",
            "additionalProperties",
            "not",
            "additionalItems",
            "if",
            "contains",
            "propertyNames",
        ];
        let lists = ["anyOf", "oneOf", "allOf", "prefixItems", "items"];
        let maps = [
            "properties",
            "$defs",
            "definitions",
            "patternProperties",
            "dependentSchemas",
        ];
        match self.below(6) {
            0 => ("$ref", pointer.into()),
            1 => (nested[self.below(nested.len())], self.schema(depth)),
            2 => (lists[self.below(lists.len())], self.schemas(depth)),
            3 | 4 => (maps[self.below(maps.len())], self.named(depth)),
            _ => (plain[self.below(plain.len())], self.one_of(&values)),
        }
    }
}

/// What Google demands of every schema in it.
fn check(schema: &Value, root: &Value, is_root: bool) {
    let schema = schema.as_object().expect("a schema is an object");
    if let Some(target) = schema.get("$ref") {
        assert_eq!(schema.len(), 1, "{schema:?}");
        let pointer = target.as_str().and_then(|target| target.strip_prefix('#'));
        let target = pointer.and_then(|pointer| root.pointer(pointer));
        let target = target
            .and_then(Value::as_object)
            .expect("it leads somewhere");
        assert!(
            !target.contains_key("$ref"),
            "to a schema, not to another name"
        );
    }
    for (keyword, value) in schema {
        match keyword.as_str() {
            "$ref" | "type" | "format" | "title" | "description" | "enum" | "default"
            | "minItems" | "maxItems" | "minimum" | "maximum" => {}
            "$defs" if is_root => value
                .as_object()
                .expect("a map")
                .values()
                .for_each(|inner| check(inner, root, false)),
            "properties" => value
                .as_object()
                .expect("a map")
                .values()
                .for_each(|inner| check(inner, root, false)),
            "required" | "propertyOrdering" => {
                for name in value.as_array().expect("a list") {
                    let name = name.as_str().expect("a name");
                    assert!(schema["properties"].get(name).is_some(), "{name}");
                }
            }
            "anyOf" | "oneOf" | "prefixItems" => value
                .as_array()
                .expect("a list")
                .iter()
                .for_each(|inner| check(inner, root, false)),
            "additionalProperties" if value.is_boolean() => {}
            "items" | "additionalProperties" => check(value, root, false),
            other => panic!("{other} is not known to Gemini"),
        }
    }
}

#[test]
fn whatever_comes_in_only_what_gemini_knows_goes_out_and_stays_as_it_is() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1500 {
        let schema = dice.schema(5);
        let (once, _) = cleaned(schema.clone());
        check(&once, &once, true);
        let (twice, _) = cleaned(once.clone());
        assert_eq!(twice, once, "of {schema}");
    }
}
