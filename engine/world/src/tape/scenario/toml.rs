//! Reads the part of TOML that scenarios and challenges are written in: tables, arrays of tables, strings, whole numbers,
//! truth values and arrays of these. A test compares it, on every file there is, with a reader of all of TOML.

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string of any kind.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Truth(bool),
    /// An array.
    List(Vec<Value>),
}

/// A table: keys and values in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The table's name; empty for the one at the top.
    pub name: String,
    /// The line that it begins in.
    pub line: usize,
    /// What it holds.
    pub entries: Vec<(String, Value)>,
}

/// Reads a document: the table at the top, then the others in their order. `[[name]]` and `[name]` are read alike.
///
/// # Errors
/// The line, and what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Table>, String> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut tables = vec![Table { line: 1, ..Table::default() }];
    loop {
        reader.skip_blank();
        if reader.rest.is_empty() {
            return Ok(tables);
        }
        if reader.take("[[") {
            let name = reader.key()?;
            reader.expect("]]")?;
            tables.push(Table { name, line: reader.line, entries: Vec::new() });
        } else if reader.take("[") {
            let name = reader.key()?;
            reader.expect("]")?;
            tables.push(Table { name, line: reader.line, entries: Vec::new() });
        } else {
            let key = reader.key()?;
            reader.skip_space();
            reader.expect("=")?;
            reader.skip_space();
            let value = reader.value()?;
            let table = tables.last_mut().expect("there is one from the start");
            if table.entries.iter().any(|(known, _)| *known == key) {
                return Err(reader.wrong(&format!("{key} stands here twice")));
            }
            table.entries.push((key, value));
        }
        reader.end_line()?;
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn take(&mut self, wanted: &str) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.line += wanted.matches('\n').count();
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.take(wanted) { Ok(()) } else { Err(self.wrong(&format!("expected {wanted}"))) }
    }

    fn take_char(&mut self) -> Option<char> {
        let found = self.rest.chars().next()?;
        self.rest = &self.rest[found.len_utf8()..];
        self.line += usize::from(found == '\n');
        Some(found)
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// White space, line ends and remarks.
    fn skip_blank(&mut self) {
        loop {
            self.skip_space();
            if self.rest.starts_with('#') {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            }
            if !self.take("\n") && !self.take("\r\n") {
                return;
            }
        }
    }

    fn end_line(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.rest.starts_with('#') {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
        }
        if self.rest.is_empty() || self.take("\n") || self.take("\r\n") {
            return Ok(());
        }
        Err(self.wrong("expected the end of the line"))
    }

    fn key(&mut self) -> Result<String, String> {
        let is_part = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let end = self.rest.find(is_part).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at(end);
        if key.is_empty() {
            return Err(self.wrong("expected a key"));
        }
        self.rest = rest;
        Ok(key.to_owned())
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.rest.starts_with('[') {
            return self.list();
        }
        self.plain()
    }

    /// Arrays of this format hold no arrays.
    fn list(&mut self) -> Result<Value, String> {
        self.expect("[")?;
        let mut found = Vec::new();
        loop {
            self.skip_blank();
            if self.take("]") {
                return Ok(Value::List(found));
            }
            found.push(self.plain()?);
            self.skip_blank();
            if !self.take(",") {
                self.expect("]")?;
                return Ok(Value::List(found));
            }
        }
    }

    fn plain(&mut self) -> Result<Value, String> {
        if self.take("\"\"\"") {
            self.take("\n");
            return self.escaped("\"\"\"").map(Value::Text);
        }
        if self.take("'''") {
            self.take("\n");
            return self.literal("'''").map(Value::Text);
        }
        if self.take("\"") {
            return self.escaped("\"").map(Value::Text);
        }
        if self.take("'") {
            return self.literal("'").map(Value::Text);
        }
        if self.take("true") {
            return Ok(Value::Truth(true));
        }
        if self.take("false") {
            return Ok(Value::Truth(false));
        }
        let is_other = |c: char| !(c.is_ascii_digit() || c == '-' || c == '_');
        let end = self.rest.find(is_other).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let number = digits.replace('_', "").parse().map_err(|_| self.wrong("expected a value"))?;
        self.rest = rest;
        Ok(Value::Number(number))
    }

    fn literal(&mut self, close: &str) -> Result<String, String> {
        let end = self.rest.find(close).ok_or_else(|| self.wrong("a string has no end"))?;
        let found = self.rest[..end].to_owned();
        if close.len() == 1 && found.contains('\n') {
            return Err(self.wrong("a string has no end"));
        }
        self.line += found.matches('\n').count();
        self.rest = &self.rest[end + close.len()..];
        Ok(found)
    }

    fn escaped(&mut self, close: &str) -> Result<String, String> {
        let mut found = String::new();
        loop {
            if self.take(close) {
                return Ok(found);
            }
            match self.take_char() {
                Some('\\') => found.extend(self.escape(close)?),
                Some('\n') | None if close.len() == 1 => {
                    return Err(self.wrong("a string has no end"));
                }
                None => return Err(self.wrong("a string has no end")),
                Some(other) => found.push(other),
            }
        }
    }

    /// What stands behind a backslash; nothing at the end of a line, which goes on at the next word.
    fn escape(&mut self, close: &str) -> Result<Option<char>, String> {
        let at = self.take_char();
        Ok(Some(match at {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('"') => '"',
            Some('\\') => '\\',
            Some('u') => {
                let digits = self.rest.get(..4).ok_or_else(|| self.wrong("expected 4 digits"))?;
                let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                let code = code.ok_or_else(|| self.wrong("this is no character"))?;
                self.rest = &self.rest[4..];
                code
            }
            Some('\n') if close.len() == 3 => {
                let rest = self.rest.trim_start();
                self.line += self.rest[..self.rest.len() - rest.len()].matches('\n').count();
                self.rest = rest;
                return Ok(None);
            }
            _ => return Err(self.wrong("this stands for nothing behind a backslash")),
        }))
    }
}

/// A table that is read key by key; what nobody asked for is an error.
pub struct Fields {
    table: Table,
}

impl Fields {
    /// The fields of a table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        let at = self.table.entries.iter().position(|(known, _)| known == key)?;
        Some(self.table.entries.remove(at).1)
    }

    fn wrong(&self, key: &str, wanted: &str) -> String {
        format!("line {} and below: {key}: expected {wanted}", self.table.line)
    }

    /// Whether a key is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.table.entries.iter().any(|(known, _)| known == key)
    }

    /// A text that may be missing.
    ///
    /// # Errors
    /// It is something else.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "a string")),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn needed(&mut self, key: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| self.wrong(key, "a string, which is missing"))
    }

    /// A whole number from 0 that may be missing.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                u64::try_from(number).map(Some).map_err(|_| self.wrong(key, "a number from 0"))
            }
            Some(_) => Err(self.wrong(key, "a number from 0")),
        }
    }

    /// A truth value; false if it is missing.
    ///
    /// # Errors
    /// It is something else.
    pub fn truth(&mut self, key: &str) -> Result<Option<bool>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Truth(truth)) => Ok(Some(truth)),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    /// Texts; none if it is missing.
    ///
    /// # Errors
    /// It is something else.
    pub fn texts(&mut self, key: &str) -> Result<Vec<String>, String> {
        let found = match self.take(key) {
            None => Vec::new(),
            Some(Value::List(found)) => found,
            Some(_) => return Err(self.wrong(key, "an array of strings")),
        };
        let text = |value| match value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong(key, "an array of strings")),
        };
        found.into_iter().map(text).collect()
    }

    /// A duration, such as `90s` or `1h30m`; none if it is missing.
    ///
    /// # Errors
    /// It is something else.
    pub fn duration(&mut self, key: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let ms = crate::fault::parse_duration(&text);
        ms.map(Some).ok_or_else(|| self.wrong(key, "a duration such as 30s, 5m or 3d"))
    }

    /// That nothing is left.
    ///
    /// # Errors
    /// Something is left that nobody asked for.
    pub fn end(self) -> Result<(), String> {
        match self.table.entries.first() {
            None => Ok(()),
            Some((key, _)) => {
                Err(format!("line {} and below: nobody knows what {key} is", self.table.line))
            }
        }
    }
}
