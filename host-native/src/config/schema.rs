//! The JSON Schema of the configuration file, for editors and for whoever makes such files. The parser is what judges; a test
//! keeps the two the same.

/// The schema (JSON Schema 2020-12), as JSON.
pub const SCHEMA: &str = include_str!("schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::SCHEMA;
    use crate::config::ConfigFile;

    /// What the parser says to a file in which only this stands at this place.
    fn parsed(place: &[String], key: &str, value: &toml::Value) -> Result<(), String> {
        let mut inner = toml::Table::from_iter([(key.to_owned(), value.clone())]);
        for step in place.iter().rev() {
            inner = match step.strip_suffix("[]") {
                Some(name) => {
                    let items = toml::Value::Array(vec![toml::Value::Table(inner)]);
                    toml::Table::from_iter([(name.to_owned(), items)])
                }
                None => toml::Table::from_iter([(step.clone(), toml::Value::Table(inner))]),
            };
        }
        let domains = toml::Value::Array(vec![toml::Value::String("x.test".to_owned())]);
        inner.entry("domains").or_insert(domains);
        let text = toml::to_string(&inner).expect("it is a table");
        toml::from_str::<ConfigFile>(&text).map(drop).map_err(|error| error.message().to_owned())
    }

    /// The names in backquotes behind `expected`.
    fn expected(message: &str) -> BTreeSet<String> {
        let (_, expected) = message.split_once("expected").unwrap_or_else(|| panic!("{message}"));
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// One value of each type, by the schema's name for it.
    fn values() -> [(&'static str, toml::Value); 5] {
        [
            ("string", toml::Value::String("?".to_owned())),
            ("integer", toml::Value::Integer(70_000)),
            ("boolean", toml::Value::Boolean(true)),
            ("array", toml::Value::Array(Vec::new())),
            ("object", toml::Value::Table(toml::Table::new())),
        ]
    }

    fn is_of_another_type(parsed: &Result<(), String>) -> bool {
        let message = parsed.as_ref().err().map(String::as_str).unwrap_or_default();
        let words = ["invalid type", "invalid length", "wanted ", "exactly "];
        words.iter().any(|word| message.contains(word))
    }

    /// Looks at an object of the schema and at what is in it; gives back how many keys it has in all.
    fn check(schema: &Value, place: &[String]) -> usize {
        let properties = schema["properties"].as_object().expect("an object has properties");
        assert_eq!(schema["additionalProperties"], false, "{place:?}");
        let unknown = toml::Value::Boolean(true);
        let message = parsed(place, "no_such_key", &unknown).expect_err("it is unknown");
        let known: BTreeSet<String> = properties.keys().cloned().collect();
        assert_eq!(expected(&message), known, "{place:?}");
        let required = schema["required"].as_array().into_iter().flatten();
        let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
        properties.iter().map(|(key, schema)| property(schema, place, key, &required)).sum()
    }

    fn property(schema: &Value, place: &[String], key: &str, required: &BTreeSet<&str>) -> usize {
        let at = format!("{place:?} {key}");
        assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')), "{at}");
        let named = match schema["enum"].is_array() {
            true => "string",
            false => schema["type"].as_str().expect("a type"),
        };
        let has_keys = schema["properties"].is_object();
        for (name, value) in values() {
            // A list of the values alone would be taken for a table by the parser; nobody should write that.
            if has_keys && name == "array" {
                continue;
            }
            let wrong = is_of_another_type(&parsed(place, key, &value));
            assert_eq!(wrong, name != named, "{at} as {name}: {:?}", parsed(place, key, &value));
        }
        if let Some(variants) = schema["enum"].as_array() {
            let message = parsed(place, key, &values()[0].1).expect_err("no such variant");
            let variants: BTreeSet<&str> = variants.iter().filter_map(Value::as_str).collect();
            let all = expected(&message);
            // Some are refused later, where they make no sense.
            assert!(variants.iter().all(|variant| all.contains(*variant)), "{at}: {message}");
        }
        if let Some(most) = schema["maximum"].as_i64().filter(|most| *most > 1000) {
            assert!(parsed(place, key, &toml::Value::Integer(most + 1)).is_err(), "{at}");
        }
        if named == "integer" {
            assert!(parsed(place, key, &toml::Value::Integer(-1)).is_err(), "{at}");
        }
        if named == "array" {
            let item = |value| toml::Value::Array(vec![value]);
            let of = &schema["items"];
            let is_text = of["type"] == "string" || of["enum"].is_array();
            for (name, value) in values() {
                let fits = if is_text { name == "string" } else { name == "object" };
                let wrong = is_of_another_type(&parsed(place, key, &item(value)));
                assert_eq!(wrong, !fits, "{at}: an item as {name}");
            }
        }
        let mut within = place.to_vec();
        within.push(match named {
            "array" => format!("{key}[]"),
            _ => key.to_owned(),
        });
        let inner = if named == "array" { &schema["items"] } else { schema };
        // A key is required exactly where the parser misses it: in an object that has another.
        if required.contains(key) && !place.is_empty() {
            let missed =
                parsed(&place[..place.len() - 1], &place[place.len() - 1].replace("[]", ""), &{
                    let empty = toml::Value::Table(toml::Table::new());
                    match place[place.len() - 1].ends_with("[]") {
                        true => toml::Value::Array(vec![empty]),
                        false => empty,
                    }
                });
            assert!(missed.expect_err("a key is missing").contains("missing field"), "{at}");
        }
        if inner["required"].is_null() && has_keys {
            let empty = toml::Value::Table(toml::Table::new());
            assert_eq!(parsed(place, key, &empty), Ok(()), "{at}: nothing in it is required");
        }
        match inner["properties"].is_object() {
            true => 1 + check(inner, &within),
            false => 1,
        }
    }

    #[test]
    fn the_schema_and_the_parser_are_the_same() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("it is JSON");
        let keys = check(&schema, &[]);
        assert!(keys > 80, "{keys} keys");
        let empty = toml::from_str::<ConfigFile>("").expect_err("domains are needed");
        assert!(empty.message().contains("`domains`") && schema["required"][0] == "domains");
    }
}
