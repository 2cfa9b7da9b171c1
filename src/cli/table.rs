//! Aligned tables and fact sheets.

/// Rows of cells below a head; the last column is not padded.
pub struct Table {
    rows: Vec<Vec<String>>,
    /// What stands there instead of a table without rows.
    empty: &'static str,
}

impl Table {
    /// A table with these columns.
    pub fn new(head: &[&str], empty: &'static str) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()], empty }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text.
    pub fn to_text(&self) -> String {
        if self.rows.len() == 1 {
            return format!("{}\n", self.empty);
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width.saturating_sub(cell.chars().count()) + 2));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Labelled facts of one thing; a label that repeats is written once.
#[derive(Default)]
pub struct Facts {
    facts: Vec<(String, String)>,
}

impl Facts {
    /// Adds a fact, unless it is empty.
    pub fn add(&mut self, label: &str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.facts.push((label.to_owned(), value));
        }
    }

    /// The facts as text, indented.
    pub fn to_text(&self) -> String {
        let width = self.facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        let mut out = String::new();
        let mut last = "";
        for (label, value) in &self.facts {
            let shown = if label == last { "" } else { label };
            out.push_str(&format!("  {shown}{}  {value}\n", " ".repeat(width.saturating_sub(shown.chars().count()))));
            last = label;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_the_end() {
        let mut table = Table::new(&["ID", "NAME", "NOTE"], "nothing");
        table.row(["one".to_owned(), "Ä long name".to_owned(), String::new()]);
        table.row(["another".to_owned(), "B".to_owned(), "x".to_owned()]);
        assert_eq!(table.to_text(), "ID       NAME         NOTE\none      Ä long name\nanother  B            x\n");
        assert_eq!(Table::new(&["ID"], "no apps").to_text(), "no apps\n");
    }

    #[test]
    fn repeated_labels_are_written_once() {
        let mut facts = Facts::default();
        facts.add("entity", "e");
        facts.add("ACS", "one");
        facts.add("ACS", "two");
        facts.add("none", "");
        assert_eq!(facts.to_text(), "  entity  e\n  ACS     one\n          two\n");
    }
}
