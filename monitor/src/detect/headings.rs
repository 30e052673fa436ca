//! The cells of HTML tables (HTML Living Standard section 4.9) with the headings of their columns. It
//! judges no heading, and reads no table whose cells span several columns.

use memchr::{memchr, memmem};

use super::detector::Field;
use super::text::slice;

/// Bytes between the headings and a cell of their columns: what stands further is not told to be
/// theirs, so that a text in pieces gives what the whole gives.
const REACH_BYTES_MAX: usize = 8 << 10;
/// Bytes of a tag.
const TAG_BYTES_MAX: usize = 128;
/// Bytes of a heading, and of a cell.
const CELL_BYTES_MAX: usize = 256;
/// Columns of a table.
const COLUMNS_MAX: usize = 256;

/// The row of headings that is in force, and the row that is read.
#[derive(Default)]
struct Rows {
    /// Spans of the headings, and where they begin.
    headings: Vec<(usize, usize)>,
    begin: usize,
    /// Spans of the cells of a row that may be one of headings, and where it begins.
    pending: Vec<(usize, usize)>,
    pending_begin: usize,
    /// Cells of the row so far.
    column: usize,
    /// Whether the beginning of the row was seen: the text may begin in the middle of one.
    begun: bool,
}

impl Rows {
    /// Ends a row: one of two headings or more and nothing else is in force from now on.
    fn end(&mut self) {
        if self.begun && self.pending.len() > 1 && self.pending.len() == self.column {
            self.headings.clone_from(&self.pending);
            self.begin = self.pending_begin;
        }
        self.pending.clear();
        self.column = 0;
        self.begun = true;
    }
}

/// Hands on the cells that stand under a heading, with the span of it.
pub(super) fn each_cell(text: &[u8], mut found: impl FnMut((usize, usize), Field)) {
    if memmem::find(text, b"<th").is_none() && memmem::find(text, b"<TH").is_none() {
        return;
    }
    let (mut rows, mut at) = (Rows::default(), 0);
    while let Some(ahead) = text.get(at..).and_then(|rest| memchr(b'<', rest)) {
        let tag = at + ahead;
        at = tag + 1;
        let Some((name, start)) = read_tag(text, tag) else { continue };
        match name {
            Tag::Table => rows = Rows { begun: true, ..Rows::default() },
            Tag::Row => rows.end(),
            Tag::Wide => rows = Rows { column: COLUMNS_MAX, ..Rows::default() },
            Tag::Heading | Tag::Cell => {
                let cell = cell(text, start);
                if name == Tag::Heading && rows.pending.len() == rows.column {
                    if rows.column == 0 {
                        rows.pending_begin = tag;
                    }
                    if rows.column < COLUMNS_MAX {
                        rows.pending.push((cell.start, cell.end));
                    }
                }
                let near = tag.saturating_sub(rows.begin) <= REACH_BYTES_MAX;
                if name == Tag::Cell
                    && near
                    && cell.start < cell.end
                    && let Some(heading) = rows.headings.get(rows.column)
                {
                    found(*heading, cell);
                }
                rows.column = rows.column.saturating_add(1);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    /// A table begins or ends.
    Table,
    /// A row begins or ends.
    Row,
    Heading,
    Cell,
    /// A heading or a cell of several columns or rows.
    Wide,
}

/// The tag at `at`, and where it ends.
fn read_tag(text: &[u8], at: usize) -> Option<(Tag, usize)> {
    let rest = slice(text, at + 1, text.len().min(at + TAG_BYTES_MAX));
    let (closes, rest) = match rest.split_first()? {
        (b'/', rest) => (true, rest),
        _ => (false, rest),
    };
    if !rest.first().is_some_and(|b| matches!(b, b't' | b'T')) {
        return None;
    }
    let length = rest.iter().position(|b| !b.is_ascii_alphabetic())?;
    let (name, attributes) = rest.split_at(length);
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    let close = attributes.iter().position(|b| matches!(b, b'>' | b'<'))?;
    if attributes.get(close) != Some(&b'>') {
        return None;
    }
    let spans = || memmem::find(slice(attributes, 0, close), b"span").is_some();
    let tag = match () {
        () if is(b"table") => Tag::Table,
        () if is(b"tr") => Tag::Row,
        () if closes => return None,
        () if (is(b"th") || is(b"td")) && spans() => Tag::Wide,
        () if is(b"th") => Tag::Heading,
        () if is(b"td") => Tag::Cell,
        () => return None,
    };
    Some((tag, at + 1 + usize::from(closes) + length + close + 1))
}

/// What stands from `start` up to the next tag, without the blanks around it.
fn cell(text: &[u8], start: usize) -> Field {
    let rest = slice(text, start, text.len().min(start + CELL_BYTES_MAX));
    let rest = slice(rest, 0, memchr(b'<', rest).unwrap_or(0));
    let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let start = start + blanks;
    Field { start, end: start + rest.trim_ascii().len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let mut all = Vec::new();
        each_cell(text.as_bytes(), |(from, to), cell| {
            all.push((&text[from..to], &text[cell.start..cell.end]));
        });
        assert_eq!(all, expected, "{text}");
    }

    #[test]
    fn a_cell_stands_under_its_heading() {
        check(
            "<table><thead><tr><th>id</th><TH class=x> Full name </TH></tr></thead><tbody>\
             <tr><td>1</td><td>\n Jo Doe</td></tr><tr><td></td><td>Al Roe</td></tr></table>",
            &[("id", "1"), ("Full name", "Jo Doe"), ("Full name", "Al Roe")],
        );
        // End tags may be left out.
        check("<tr><th>a<th>b<tr><td>1<td>2<tr>", &[("a", "1"), ("b", "2")]);
        // The first of a row may be its heading.
        check(
            "<tr><th>a<th>b<tr><th>x<td>2<tr><td>3<td>4<tr>",
            &[("b", "2"), ("a", "3"), ("b", "4")],
        );
    }

    #[test]
    fn what_stands_under_none_is_not_told() {
        check("<tr><th>a</th><td>1</td></tr><tr><td>2</td></tr>", &[]);
        check("<tr><th>a<th>b</tr></table><table><tr><td>1<td>2</tr>", &[]);
        check("<tr><th>a<th colspan=2>b</tr><tr><td>1<td>2<td>3</tr>", &[]);
        let far = format!("<tr><th>a<th>b<tr><td>{}<tr><td>1<td>2<tr>", " ".repeat(9_000));
        check(&far, &[]);
        check("<th>a<th>b<tr><td>1<td>2<tr>", &[]);
        for text in ["", "<", "<th", "<th>", "<tr><th>a<th>b<tr><td", "<tr><th>a<th>b<tr><td>x"] {
            check(text, &[]);
        }
    }
}
