//! "Did you mean": the known word that a person most likely meant.

/// The nearest of `known`, if it is near enough to be meant: a third of its letters
/// may be wrong, one at least.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|one| (distance(word, one), one));
    let (distance, one) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (one.len() / 3).clamp(1, 3)).then_some(one)
}

/// "; did you mean …?", or nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some(meant) => format!("; did you mean '{meant}'?"),
        None => String::new(),
    }
}

/// How many letters are to be added, left out, replaced or swapped with the next
/// (optimal string alignment), whatever their case.
fn distance(one: &str, other: &str) -> usize {
    let letters = |word: &str| word.to_lowercase().chars().collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let mut rows = vec![(0..=other.len()).collect::<Vec<_>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_meant_and_what_is_far_is_not() {
        let known = ["serve", "status", "setup", "PROXY_API_KEY", "PROXY_PORT"];
        for (word, meant) in [
            ("sevre", Some("serve")),
            ("stats", Some("status")),
            ("PROXY_APIKEY", Some("PROXY_API_KEY")),
            ("proxy_potr", Some("PROXY_PORT")),
            ("sing", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
