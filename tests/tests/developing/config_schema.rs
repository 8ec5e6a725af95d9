//! The JSON Schema of the configuration file and the parser that judges it are the same: every key, its type, what is required.

use std::collections::BTreeSet;

use pillarbox::config::{ConfigFile, SCHEMA};
use serde_json::{Map, Value, json};

/// What the parser says to a configuration in which only this stands at this place; a step that ends in `[]` is a list.
fn parsed(place: &[String], key: &str, value: &Value) -> Result<(), String> {
    let mut inner = Map::from_iter([(key.to_owned(), value.clone())]);
    for step in place.iter().rev() {
        inner = match step.strip_suffix("[]") {
            Some(name) => Map::from_iter([(name.to_owned(), json!([inner]))]),
            None => Map::from_iter([(step.clone(), Value::Object(inner))]),
        };
    }
    inner.entry("domains").or_insert_with(|| json!(["x.test"]));
    let config = serde_json::from_value::<ConfigFile>(Value::Object(inner));
    config.map(drop).map_err(|error| error.to_string())
}

/// The names in backquotes behind `expected`.
fn expected(message: &str) -> BTreeSet<String> {
    let (_, expected) = message.split_once("expected").unwrap_or_else(|| panic!("{message}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// One value of each type, by the schema's name for it.
fn values() -> [(&'static str, Value); 5] {
    [
        ("string", json!("?")),
        ("integer", json!(70_000)),
        ("boolean", json!(true)),
        ("array", json!([])),
        ("object", json!({})),
    ]
}

fn is_of_another_type(parsed: &Result<(), String>) -> bool {
    let message = parsed.as_ref().err().map(String::as_str).unwrap_or_default();
    let words = ["invalid type", "invalid length", "single key"];
    words.iter().any(|word| message.contains(word))
}

/// Looks at an object of the schema and at all that is in it; gives back how many keys those have.
fn check(schema: &Value, place: &[String]) -> usize {
    let properties = schema["properties"].as_object().expect("an object has properties");
    assert_eq!(schema["additionalProperties"], false, "{place:?}");
    let message = parsed(place, "no_such_key", &json!(true)).expect_err("it is unknown");
    let known: BTreeSet<String> = properties.keys().cloned().collect();
    assert_eq!(expected(&message), known, "{place:?}");
    let required = schema["required"].as_array().into_iter().flatten();
    let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
    if let Some((last, place)) = place.split_last() {
        let (key, empty) = match last.strip_suffix("[]") {
            Some(key) => (key, json!([{}])),
            None => (&last[..], json!({})),
        };
        let missed = parsed(place, key, &empty);
        // The parser names the first that it misses.
        let first = missed.as_ref().err().and_then(|message| message.split('`').nth(1));
        assert_eq!(first.is_some(), !required.is_empty(), "{place:?} {key}: {missed:?}");
        assert!(first.is_none_or(|first| required.contains(first)), "{place:?} {key}: {missed:?}");
    }
    properties.iter().map(|(key, schema)| property(schema, place, key)).sum()
}

fn property(schema: &Value, place: &[String], key: &str) -> usize {
    let at = format!("{place:?} {key}");
    assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')), "{at}");
    let types: Vec<&str> = match (&schema["enum"], &schema["type"]) {
        (Value::Array(_), _) => vec!["string"],
        (_, Value::Array(types)) => {
            types.iter().map(|name| name.as_str().expect("a type")).collect()
        }
        (_, name) => vec![name.as_str().expect("a type")],
    };
    let named = types[0];
    let has_keys = schema["properties"].is_object();
    for (name, value) in values() {
        // A list of the values alone would be taken for a table by the parser; nobody should write that.
        if has_keys && name == "array" {
            continue;
        }
        let parsed = parsed(place, key, &value);
        assert_eq!(
            is_of_another_type(&parsed),
            !types.contains(&name),
            "{at} as {name}: {parsed:?}"
        );
    }
    if let Some(variants) = schema["enum"].as_array() {
        let all = expected(&parsed(place, key, &json!("?")).expect_err("no such variant"));
        // Some are refused later, where they make no sense.
        let mut variants = variants.iter().filter_map(Value::as_str);
        assert!(variants.all(|variant| all.contains(variant)), "{at}: {all:?}");
    }
    if named == "integer" {
        assert!(parsed(place, key, &json!(-1)).is_err(), "{at}");
        let most = schema["maximum"].as_u64().filter(|most| *most == u64::from(u32::MAX));
        let over = json!(u64::from(u32::MAX) + 1);
        let is_bounded = schema["maximum"].as_u64().is_none_or(|most| most > 1000);
        assert!(!is_bounded || parsed(place, key, &over).is_err() == most.is_some(), "{at}");
    }
    let inner = if named == "array" { &schema["items"] } else { schema };
    if named == "array" {
        let is_text = inner["type"] == "string" || inner["enum"].is_array();
        for (name, value) in values() {
            let fits = if is_text { name == "string" } else { name == "object" };
            let parsed = parsed(place, key, &json!([value]));
            assert_eq!(is_of_another_type(&parsed), !fits, "{at}: an item as {name}: {parsed:?}");
        }
    }
    if !inner["properties"].is_object() {
        return 1;
    }
    let step = if named == "array" { format!("{key}[]") } else { key.to_owned() };
    let within: Vec<String> = place.iter().cloned().chain([step]).collect();
    1 + check(inner, &within)
}

#[test]
fn the_schema_and_the_parser_are_the_same() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("it is JSON");
    let keys = check(&schema, &[]);
    assert!(keys > 80, "{keys} keys");
    let empty = serde_json::from_value::<ConfigFile>(json!({})).expect_err("domains are needed");
    assert!(empty.to_string().contains("`domains`") && schema["required"] == json!(["domains"]));
}
