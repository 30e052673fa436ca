//! "Did you mean": the nearest of the words that may stand at a place. It knows no policy.

/// Longest word that is compared; a longer one is no slip of the pen.
const WORD_BYTES_MAX: usize = 64;
/// Shortest word that is looked for within another.
const PART_BYTES_MIN: usize = 3;

/// What to write instead of `word`: the nearest of `known` if one is near, then all of them as
/// `plural`.
pub(crate) fn suggest(word: &str, known: &[&str], plural: &str) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean \"{near}\"? {}", listed(known, plural)),
        None => listed(known, plural),
    }
}

/// All words there are, or the command that lists them where they are too many for a line.
pub(super) fn listed(known: &[&str], plural: &str) -> String {
    match plural {
        "entities" => "`egress-monitor entities` lists them".to_owned(),
        _ => format!("{plural}: {}", known.join(", ")),
    }
}

/// The word of `known` that `word` was likely meant to be: the fewest slips away, or else the only
/// one that contains it or is contained in it.
fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    let word = fold(word);
    let slips_max = (word.chars().count() / 3).max(1);
    let close = known
        .iter()
        .map(|&candidate| (strsim::osa_distance(&word, &fold(candidate)), candidate))
        .filter(|&(slips, _)| slips <= slips_max)
        .min_by_key(|&(slips, _)| slips);
    if let Some((_, candidate)) = close {
        return Some(candidate);
    }
    let part = |part: &str, whole: &str| part.len() >= PART_BYTES_MIN && whole.contains(part);
    let mut related = known.iter().filter(|candidate| {
        let candidate = fold(candidate);
        part(&word, &candidate) || part(&candidate, &word)
    });
    match (related.next(), related.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Case and the joint of compound words are no difference.
fn fold(word: &str) -> String {
    word.chars().map(|c| if c == '-' || c == ' ' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// `word` as an error shows it: quoted, control characters escaped, cut to a length that is read.
pub(super) fn quoted(word: &str) -> String {
    let mut shown: String = word.chars().take(WORD_BYTES_MAX).collect();
    if shown.len() < word.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}
