//! The results as a table for people and as JSON for programs.
//! A ratio is always the subject's number divided by the other's, whatever the unit.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::compare::{Cell, Results, Row};
use crate::goals::{Goal, against, alone};
use crate::server::Kind;
use crate::stats::{Ratio, median, ratio, spread};

/// Above this share of the machine used by others, a line is marked.
pub(crate) const DISTURBED: f64 = 0.15;

/// What is said of the run as a whole.
pub(crate) struct Report {
    pub(crate) subject: Kind,
    /// Hardware, file system, durability, the machine's rest before the run: one fact each.
    pub(crate) environment: Vec<String>,
    /// Servers that were wanted and are not there, with what to do.
    pub(crate) absent: Vec<(Kind, String)>,
    pub(crate) results: Results,
}

/// The numbers of one server for one work.
struct Figures {
    median: f64,
    spread: f64,
    /// What the very first operation took, with nothing cached.
    first: Option<f64>,
    cpu_per_1000: Option<f64>,
    elsewhere: f64,
    stolen: f64,
}

impl Report {
    /// The table, for a terminal of 110 columns.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for line in &self.environment {
            line_to(&mut text, line);
        }
        for (kind, facts) in &self.results.facts {
            line_to(&mut text, &format!("{kind}: {facts}"));
        }
        for (kind, reason) in &self.absent {
            line_to(&mut text, &format!("{kind}: left out: {reason}"));
        }
        for (kind, reason) in &self.results.left_out {
            line_to(&mut text, &format!("{kind}: FAILED: {reason}"));
        }
        let subject = self.subject.name();
        line_to(&mut text, "");
        line_to(
            &mut text,
            &format!(
                "{:<18}{:>10} {:>7} {:>11} {:>8}   {subject} ÷ this (least–most)",
                "", "median", "spread", "CPU s/1000", "first"
            ),
        );
        for row in &self.results.rows {
            self.row_to(&mut text, row);
        }
        line_to(
            &mut text,
            &format!(
                "\nspread: (greatest − least) ÷ median. CPU: the server's processes, per 1,000 \
                 operations (messages,\nlogins, connections). first: the first time, nothing \
                 cached. *: over {:.0} % of the machine went elsewhere\n(other programs, and the \
                 kernel's own threads, such as the journal's).",
                DISTURBED * 100.0
            ),
        );
        text
    }

    fn row_to(&self, text: &mut String, row: &Row) {
        let unit = row.work.unit();
        let better = if unit.more_is_better { "more is better" } else { "less is better" };
        line_to(text, &format!("\n{}: {} ({better})", row.work.title(), unit.name));
        for cell in &row.cells {
            if let Some(failure) = &cell.failure {
                line_to(text, &format!("  {:<16}failed: {failure}", cell.kind.name()));
                continue;
            }
            let Some(figures) = figures(row, cell) else { continue };
            let disturbed = figures.elsewhere + figures.stolen > DISTURBED;
            let mark = if disturbed { "*" } else { " " };
            let cpu = figures.cpu_per_1000.map_or_else(String::new, |cpu| {
                if cpu < 0.1 { format!("{cpu:.3}") } else { format!("{cpu:.2}") }
            });
            let first = figures.first.map_or_else(String::new, number);
            let verdict = self.verdict(row, cell, &figures);
            line_to(
                text,
                &format!(
                    "  {:<16}{:>10}{mark}{:>6.0} % {:>10} {:>9}   {verdict}",
                    cell.kind.name(),
                    number(figures.median),
                    figures.spread * 100.0,
                    cpu,
                    first,
                ),
            );
        }
    }

    fn verdict(&self, row: &Row, cell: &Cell, figures: &Figures) -> String {
        if cell.kind == self.subject {
            let ours = matches!(cell.kind, Kind::Pillarbox | Kind::Native);
            let goal = alone(row.work).filter(|_| ours);
            return goal.map_or_else(String::new, |goal| judged(goal, figures.median));
        }
        let Some(ratio) = self.ratio(row, cell) else { return String::new() };
        let goal =
            (self.subject == Kind::Pillarbox).then(|| against(row.work, cell.kind)).flatten();
        let judged =
            goal.map_or_else(String::new, |goal| format!("  {}", judged(goal, ratio.median)));
        format!("{:.2} ({:.2}–{:.2}){judged}", ratio.median, ratio.least, ratio.most)
    }

    fn ratio(&self, row: &Row, cell: &Cell) -> Option<Ratio> {
        let subject = row.cells.iter().find(|cell| cell.kind == self.subject)?;
        if subject.failure.is_some() || cell.failure.is_some() {
            return None;
        }
        ratio(&values(row, subject), &values(row, cell))
    }

    /// The same as JSON, with every sample.
    pub(crate) fn json(&self) -> Value {
        let rows: Vec<Value> = self.results.rows.iter().map(|row| self.row_json(row)).collect();
        let pairs = |pairs: &[(Kind, String)]| -> Vec<Value> {
            let pair = |(kind, text): &(Kind, String)| json!({"server": kind.name(), "text": text});
            pairs.iter().map(pair).collect()
        };
        json!({
            "subject": self.subject.name(),
            "environment": self.environment,
            "servers": pairs(&self.results.facts),
            "absent": pairs(&self.absent),
            "failed": pairs(&self.results.left_out),
            "rows": rows,
        })
    }

    fn row_json(&self, row: &Row) -> Value {
        let unit = row.work.unit();
        let cells: Vec<Value> = row.cells.iter().map(|cell| self.cell_json(row, cell)).collect();
        json!({
            "work": row.work.title(),
            "unit": unit.name,
            "more_is_better": unit.more_is_better,
            "servers": cells,
        })
    }

    fn cell_json(&self, row: &Row, cell: &Cell) -> Value {
        let figures = figures(row, cell);
        let figure = |of: fn(&Figures) -> Option<f64>| figures.as_ref().and_then(of);
        let ratio = self.ratio(row, cell).filter(|_| cell.kind != self.subject);
        json!({
            "server": cell.kind.name(),
            "failure": cell.failure,
            "samples": values(row, cell),
            "median": figure(|it| Some(it.median)),
            "spread": figure(|it| Some(it.spread)),
            "first": figure(|it| it.first),
            "cpu_seconds_per_1000": figure(|it| it.cpu_per_1000),
            "elsewhere": figure(|it| Some(it.elsewhere)),
            "stolen": figure(|it| Some(it.stolen)),
            "ratio": ratio.map(|it| json!({
                "median": it.median, "least": it.least, "most": it.most,
            })),
        })
    }
}

fn values(row: &Row, cell: &Cell) -> Vec<f64> {
    cell.samples.iter().map(|sample| row.work.value(sample)).collect()
}

fn figures(row: &Row, cell: &Cell) -> Option<Figures> {
    let values = values(row, cell);
    let shares = |of: fn(&crate::load::Sample) -> f64| {
        median(&cell.samples.iter().map(of).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    // Ticks are coarse: all samples together give a better figure than a median of each.
    let operations: u64 = cell.samples.iter().map(|sample| sample.operations).sum();
    let cpu_seconds: Option<f64> =
        cell.samples.iter().map(|sample| sample.server_cpu_seconds).sum();
    Some(Figures {
        median: median(&values)?,
        spread: spread(&values).unwrap_or(0.0),
        first: cell.samples.first().and_then(|sample| sample.first_ms),
        cpu_per_1000: cpu_seconds
            .filter(|_| operations > 0)
            .map(|seconds| seconds / operations as f64 * 1000.0),
        elsewhere: shares(|sample| sample.elsewhere),
        stolen: shares(|sample| sample.stolen),
    })
}

fn judged(goal: Goal, value: f64) -> String {
    let verdict = if goal.met(value) { "met" } else { "MISSED" };
    format!("goal {}: {verdict}", goal.text())
}

fn line_to(text: &mut String, line: &str) {
    writeln!(text, "{}", line.trim_end()).expect("a String takes all");
}

/// Three significant digits or more, with commas in thousands.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let plain = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Sample;
    use crate::work::{KIB, Work};

    fn cell(kind: Kind, rates: &[u64]) -> Cell {
        let sample = |&rate: &u64| Sample {
            operations: rate,
            seconds: 1.0,
            server_cpu_seconds: Some(0.5),
            ..Sample::default()
        };
        Cell { kind, samples: rates.iter().map(sample).collect(), failure: None }
    }

    fn report() -> Report {
        let work = Work::Delivery { size: 10 * KIB, connections: 50 };
        let failed = Cell {
            kind: Kind::SmtpSink,
            samples: Vec::new(),
            failure: Some("expected reply 250, got \"451 no\"".to_owned()),
        };
        let cells =
            vec![cell(Kind::Pillarbox, &[6000, 5000]), cell(Kind::Postfix, &[1000, 1250]), failed];
        let results = Results {
            rows: vec![Row { work, cells }],
            facts: vec![(Kind::Postfix, "syncs".to_owned())],
            left_out: vec![(Kind::DovecotSdbox, "does not start".to_owned())],
        };
        Report {
            subject: Kind::Pillarbox,
            environment: vec!["2 CPUs".to_owned()],
            absent: vec![(Kind::DovecotMdbox, "apt-get install it".to_owned())],
            results,
        }
    }

    #[test]
    fn the_table_says_numbers_ratios_goals_and_failures() {
        let table = report().table();
        let line = |start: &str| {
            let found = table.lines().find(|line| line.trim_start().starts_with(start));
            found.unwrap_or_else(|| panic!("no line {start} in\n{table}")).to_owned()
        };
        assert!(line("pillarbox  ").contains("5,500"));
        let postfix = line("postfix  ");
        assert!(postfix.contains("1,125") && postfix.contains("5.00 (4.00–6.00)"), "{postfix}");
        assert!(postfix.contains("goal ≥ 5: met") && postfix.contains("0.44"), "{postfix}");
        assert!(line("smtp-sink").contains("failed: expected reply 250, got \"451 no\""));
        assert!(line("postfix: syncs").ends_with("syncs"));
        assert!(line("dovecot-sdbox: FAILED").ends_with("does not start"));
        assert!(line("dovecot-mdbox: left out").contains("apt-get"));
    }

    #[test]
    fn json_has_every_sample() {
        let json = report().json();
        let servers = &json["rows"][0]["servers"];
        assert_eq!(servers[0]["samples"], json!([6000.0, 5000.0]));
        assert_eq!(servers[1]["ratio"]["median"], json!(5.0));
        assert_eq!(servers[0]["ratio"], Value::Null);
        assert!(servers[2]["failure"].as_str().is_some_and(|text| text.contains("451")));
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(number(0.123), "0.12");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(999.6), "1,000");
        assert_eq!(number(1_234_567.0), "1,234,567");
    }
}
