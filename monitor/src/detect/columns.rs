//! Which column a value stands in: of a table with a header line (RFC 4180 and its relatives), and
//! of the tuples of an SQL `INSERT`. It judges no name.

use memchr::{memchr, memrchr};

use super::detector::Field;
use super::text::{byte, slice};

/// Bytes of a header line, and of a row up to a value.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Columns of a table.
const COLUMNS_MAX: usize = 256;
/// Bytes of a column's name.
const NAME_BYTES_MAX: usize = 64;
/// Bytes before a value in which its `VALUES` is looked for.
const SQL_BYTES_MAX: usize = 4 << 10;

/// The header of a table.
pub(super) struct Header {
    separator: u8,
    /// Spans of the names.
    names: Vec<(usize, usize)>,
    /// Where the rows begin in the text that the header was read from.
    rows: usize,
}

impl Header {
    /// The header that a text begins with: two names or more, and a row with as many cells.
    pub fn read(text: &[u8]) -> Option<Header> {
        let first = *text.first()?;
        if !(first.is_ascii_alphabetic() || matches!(first, b'"' | b'_' | b'#' | 0xEF)) {
            return None;
        }
        let head = slice(text, 0, text.len().min(LINE_BYTES_MAX));
        let line = memchr(b'\n', head)?;
        let count =
            |separator: &u8| slice(text, 0, line).iter().filter(|b| *b == separator).count();
        let separator =
            *[b',', b';', b'\t', b'|'].iter().max_by_key(|separator| count(separator))?;
        let mut names = Vec::new();
        for cell in cells(text, 0, line, separator, b'"').take(COLUMNS_MAX) {
            let name = slice(text, cell.start, cell.end);
            let letters = name
                .first()
                .is_some_and(|b| b.is_ascii_alphabetic() || !b.is_ascii() || *b == b'_');
            let in_name =
                |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii() || b" _-#()".contains(b);
            if !letters || name.len() > NAME_BYTES_MAX || !name.iter().all(in_name) {
                return None;
            }
            names.push((cell.start, cell.end));
        }
        let rows = line + 1;
        let end = row_end(text, rows);
        let as_many = cells(text, rows, end, separator, b'"').count() == names.len();
        (names.len() > 1 && as_many).then_some(Header { separator, names, rows })
    }

    /// Where the first whole row begins in a text that begins with the header, or goes on from one.
    pub fn first_row(&self, text: &[u8], goes_on: bool) -> usize {
        if goes_on { row_end(text, 0) + 1 } else { self.rows }
    }

    /// The names, as spans of the text that the header was read from.
    pub fn names(&self) -> &[(usize, usize)] {
        &self.names
    }

    /// The number of the column in which the value at `at` stands.
    pub fn column_at(&self, text: &[u8], at: usize) -> Option<usize> {
        let head = slice(text, at.saturating_sub(LINE_BYTES_MAX), at);
        let line = memrchr(b'\n', head).map(|newline| at - head.len() + newline + 1)?;
        cells(text, line, at, self.separator, b'"').count().checked_sub(1)
    }

    /// The cells of the columns that `wanted` asks for, of all rows.
    pub fn each_cell(
        &self,
        text: &[u8],
        from: usize,
        wanted: impl Fn(usize) -> bool,
        mut found: impl FnMut(usize, Field),
    ) {
        let mut line = from;
        while line < text.len() {
            let end = row_end(text, line);
            for (column, cell) in cells(text, line, end, self.separator, b'"').enumerate() {
                if wanted(column) && cell.start < cell.end {
                    found(column, cell);
                }
            }
            line = end + 1;
        }
    }
}

fn row_end(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    memchr(b'\n', rest).map_or(text.len(), |newline| from + newline)
}

/// The cells of a line, without quotes and blanks around them. `quote` hides separators.
fn cells(
    text: &[u8],
    from: usize,
    to: usize,
    separator: u8,
    quote: u8,
) -> impl Iterator<Item = Field> {
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let start = next?;
        let (mut at, mut quoted) = (start, false);
        while at < to {
            match byte(text, at) {
                b if b == quote => quoted = !quoted,
                b if b == separator && !quoted => break,
                _ => {}
            }
            at += 1;
        }
        next = (at < to).then_some(at + 1);
        let blank = |b: u8| matches!(b, b'"' | b' ' | b'\r' | b'\'');
        let (mut start, mut end) = (start, at);
        while start < end && blank(byte(text, start)) {
            start += 1;
        }
        while start < end && blank(byte(text, end - 1)) {
            end -= 1;
        }
        Some(Field { start, end })
    })
}

/// The span of the column's name of the value at `at` in `INSERT INTO t (a, b) VALUES (…, …)`.
pub(super) fn sql_column(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let floor = at.saturating_sub(SQL_BYTES_MAX);
    let head = slice(text, floor, at);
    let values = floor + find_back(head, b"values")?;
    let open = values + memchr(b'(', slice(text, values, at))?;
    // The tuple that the value stands in begins after the last one that is closed.
    let tuple = last_tuple(text, open, at)?;
    let place = cells(text, tuple + 1, at, b',', b'\'').count().checked_sub(1)?;
    let names_end = floor + memrchr(b')', slice(text, floor, values))?;
    let names = floor + memrchr(b'(', slice(text, floor, names_end))? + 1;
    let name = cells(text, names, names_end, b',', b'\'').nth(place)?;
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || !b.is_ascii() || b"_`.[] ".contains(b);
    let text = slice(text, name.start, name.end);
    (!text.is_empty() && text.iter().all(is_name)).then_some((name.start, name.end))
}

/// Hands on the values of `INSERT INTO t (a, b) VALUES (…, …), …` with the spans of their columns'
/// names.
pub(super) fn each_sql_value(text: &[u8], mut found: impl FnMut((usize, usize), Field)) {
    let mut from = 0;
    while let Some(values) = find_word(text, from, b"values") {
        from = values + b"values".len();
        let floor = values.saturating_sub(SQL_BYTES_MAX);
        let names = memrchr(b')', slice(text, floor, values)).map(|end| floor + end);
        let Some(names_end) = names else { continue };
        let Some(begin) = memrchr(b'(', slice(text, floor, names_end)) else { continue };
        let names: Vec<Field> =
            cells(text, floor + begin + 1, names_end, b',', b'\'').take(COLUMNS_MAX).collect();
        let mut tuple = from;
        while let Some(open) = next_tuple(text, tuple) {
            let close = tuple_end(text, open + 1);
            for (name, cell) in names.iter().zip(cells(text, open + 1, close, b',', b'\'')) {
                if cell.start < cell.end {
                    found((name.start, name.end), cell);
                }
            }
            tuple = close + 1;
        }
        from = from.max(tuple);
    }
}

/// The `(` of the next tuple, behind nothing but blanks and a comma.
fn next_tuple(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b',');
    let at = from + rest.iter().position(|b| !blank(b))?;
    (byte(text, at) == b'(').then_some(at)
}

/// Where the tuple ends that `from` is in: at its `)`, or at the end of the text.
fn tuple_end(text: &[u8], from: usize) -> usize {
    let (mut quoted, rest) = (false, text.get(from..).unwrap_or_default());
    let end = rest.iter().position(|b| {
        quoted ^= *b == b'\'';
        *b == b')' && !quoted
    });
    end.map_or(text.len(), |end| from + end)
}

/// The next place of `word`, in lower case, whatever case it is written in.
fn find_word(text: &[u8], from: usize, word: &[u8]) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memchr::memchr2(b'v', b'V', text.get(at..)?) {
        at += found;
        if slice(text, at, at + word.len()).eq_ignore_ascii_case(word) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The `(` of the tuple that is open at `at`, of those that begin with the one at `open`.
fn last_tuple(text: &[u8], open: usize, at: usize) -> Option<usize> {
    let (mut tuple, mut quoted, mut depth) = (None, false, 0usize);
    for (offset, b) in slice(text, open, at).iter().enumerate() {
        match b {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => {
                if depth == 0 {
                    tuple = Some(open + offset);
                }
                depth += 1;
            }
            b')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    tuple.filter(|_| depth > 0)
}

/// The last place of `word`, in lower case, whatever case it is written in.
fn find_back(text: &[u8], word: &[u8]) -> Option<usize> {
    let mut end = text.len();
    while let Some(at) = memchr::memrchr2(b'v', b'V', slice(text, 0, end)) {
        if slice(text, at, at + word.len()).eq_ignore_ascii_case(word) {
            return Some(at);
        }
        end = at;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_in_the_column_of_their_header() {
        let text = "name,tax id,\"city\"\nA,111,x\n\"B, C\",222,y\r\nD,333,z";
        let header = Header::read(text.as_bytes()).expect("it has one");
        for (value, column) in [("111", 1), ("222", 1), ("333", 1), ("z", 2), ("D", 0)] {
            let at = text.find(value).expect("it is there");
            assert_eq!(header.column_at(text.as_bytes(), at), Some(column), "{value}");
        }
        let mut found = Vec::new();
        header.each_cell(
            text.as_bytes(),
            header.first_row(text.as_bytes(), false),
            |column| column == 0,
            |_, cell| {
                found.push(&text[cell.start..cell.end]);
            },
        );
        assert_eq!(found, ["A", "B, C", "D"]);
    }

    #[test]
    fn what_is_no_table_has_no_header() {
        for text in [
            "",
            "a,b",
            "a,b\n1\n",
            "{\"a\":1,\n\"b\":2}",
            "Dear all, this is\n a, letter",
            "one\n1",
            "GET /a,b HTTP/1.1\nHost: x,y\n",
        ] {
            let header = Header::read(text.as_bytes());
            let plausible = text.starts_with("Dear");
            assert!(header.is_none() || plausible, "{text}");
        }
    }

    #[test]
    fn values_of_an_insert_have_a_column() {
        let text = "INSERT INTO people (name, ssn) VALUES ('Smith (x), J', '111'), ('B', '222');";
        for (value, name) in [("111", Some("ssn")), ("222", Some("ssn")), ("Smith", Some("name"))] {
            let at = text.find(value).expect("it is there");
            let found = sql_column(text.as_bytes(), at).map(|(from, to)| &text[from..to]);
            assert_eq!(found, name, "{value}");
        }
        assert_eq!(sql_column(b"SELECT f(1, 2)", 12), None);
    }
}
