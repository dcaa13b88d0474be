//! What a query matches, and which lines it lets pass.

use proptest::prelude::*;

use super::*;

fn query(words: &[&str]) -> SearchQuery {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    SearchQuery::parse(&words).unwrap()
}

#[track_caller]
fn check(words: &[&str], text: &str, is_in: bool) {
    assert_eq!(query(words).is_in(text), is_in, "{words:?} in {text:?}");
}

#[test]
fn all_words_must_be_there_and_case_matters_with_an_upper_case_letter() {
    check(&["retry", "webhook"], "The Webhook\nhas no RETRY", true);
    check(&["retry", "webhook"], "the webhook", false);
    check(&["Webhook"], "the webhook", false);
    check(&["ÉTÉ"], "été", false);
    check(&["été"], "ÉTÉ", true);
    check(&["rate limit"], "rate\n  limit", true);
    check(&["rate limit"], "limit rate", false);
    check(&["a.c"], "abc", false);
}

#[test]
fn a_word_between_slashes_is_a_regular_expression() {
    check(&["/E0[0-9]{3}/"], "error[E0502]", true);
    check(&["/E0[0-9]{3}/"], "error[e0502]", false);
    check(&[r"/e\S+2/"], "E0502", true);
    check(&["/^b$/"], "a\nb\nc", true);
    check(&["/x*/"], "aaa", false);
    check(&["/x*/"], "aax", true);
    check(&["/"], "a/b", true);
}

#[test]
fn what_cannot_be_searched_says_why() {
    let parse = |word: &str| {
        SearchQuery::parse(&[word.to_owned()])
            .unwrap_err()
            .to_string()
    };
    for empty in ["", "  ", "//"] {
        assert!(parse(empty).contains("a word is empty"), "{empty:?}");
    }
    assert!(SearchQuery::parse(&[]).is_err());
    assert!(SearchQuery::of_everything().is_in("anything"));
    assert_eq!(
        parse("/a(b/"),
        "could not use the regular expression `a(b`: unclosed group"
    );
    for large in ["/((a{1000}){1000}){1000}/", r"/(\w{100}){100}/"] {
        assert!(parse(large).contains("it is too large"), "{large}");
    }
    let nested = format!("/{}a{}/", "(".repeat(10_000), ")".repeat(10_000));
    assert!(parse(&nested).contains("it is too large"));
}

#[test]
fn the_line_with_most_words_is_shown_around_the_match() {
    let both = query(&["retry", "webhook"]);
    assert_eq!(
        both.excerpt("a webhook\nretry the\twebhook\u{1b}[2J\n"),
        "retry the webhook [2J"
    );
    let long = format!("{} needle {}", "word ".repeat(1000), "more ".repeat(1000));
    let shown = query(&["needle"]).excerpt(&long);
    assert!(shown.starts_with("…word"), "{shown}");
    assert!(
        shown.ends_with('…') && shown.contains(" needle more"),
        "{shown}"
    );
    assert!(shown.chars().count() <= MAX_EXCERPT + 1);
}

#[test]
fn places_are_in_order_and_apart() {
    assert_eq!(query(&["ab", "bc", "x"]).places("abc xab"), [0..3, 4..7]);
    assert_eq!(query(&["é"]).places("aééxé"), [1..5, 6..8]);
    assert_eq!(query(&["/x*/"]).places("axxbx"), [1..3, 4..5]);
}

#[test]
fn a_line_that_cannot_match_is_not_a_candidate() {
    let candidates = |words: &[&str], block: &str| {
        let mut found = Vec::new();
        query(words).candidates(block.as_bytes(), |line| {
            found.push(String::from_utf8_lossy(line).into_owned());
        });
        found
    };
    let block = "{\"a\":\"one\"}\n{\"a\":\"two\"}\n\n{\"a\":\"three two\"}";
    assert_eq!(
        candidates(&["two"], block),
        ["{\"a\":\"two\"}", "{\"a\":\"three two\"}"]
    );
    assert_eq!(
        candidates(&["two", "three"], block),
        ["{\"a\":\"three two\"}"]
    );
    assert_eq!(candidates(&["/t(wo|hree)/"], block).len(), 2);
    assert_eq!(candidates(&[r"/\w+hree/"], block).len(), 1);
    assert_eq!(candidates(&["/x*/"], block).len(), 4);
    assert_eq!(candidates(&["two"], ""), [""; 0]);
}

/// Writes a text as JSON, each character with an escape or without, as `choices` say.
fn encoded(text: &str, choices: &[u8]) -> String {
    let mut json = String::from("{\"text\":\"");
    for (c, choice) in text.chars().zip(choices.iter().cycle()) {
        let digits = |json: &mut String| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                json.push_str(&match choice % 2 {
                    0 => format!("\\u{unit:04x}"),
                    _ => format!("\\u{unit:04X}"),
                });
            }
        };
        let short = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\n' => Some("\\n"),
            '\t' => Some("\\t"),
            _ => None,
        };
        match (choice % 5, short) {
            (0, _) => digits(&mut json),
            (1, Some(short)) => json.push_str(short),
            _ if c.is_control() => digits(&mut json),
            (_, Some(short)) if c != '/' => json.push_str(short),
            _ => json.push(c),
        }
    }
    json + "\"}"
}

#[test]
fn every_character_is_found_in_every_form() {
    for word in [
        "foo\"bar",
        "a\\b",
        "src/cli",
        "été",
        "ÉTÉ",
        "naïve \u{1f600}",
        "KISS",
        "kiss",
    ] {
        for choice in 0..10 {
            let json = encoded(word, &[choice]);
            let query = query(&[word]);
            let mut count = 0;
            query.candidates(json.as_bytes(), |_| count += 1);
            assert_eq!(count, 1, "{word} in {json}");
        }
    }
    // Some letters have a third case, far away in Unicode.
    for (word, json) in [("kiss", "\\u212ai\\u017fs"), ("kiss", "\u{212a}i\u{17f}s")] {
        let mut count = 0;
        query(&[word]).candidates(json.as_bytes(), |_| count += 1);
        assert_eq!(count, 1, "{word} in {json}");
    }
}

proptest! {
    #[test]
    fn every_line_with_a_match_is_a_candidate(
        word in "[a-cA-CKksé\"\\\\/\u{1f600}\u{e000} ]{1,5}",
        before in "[a-cé\"\\\\/\n ]{0,5}",
        behind in "[a-cé\"\\\\/\n ]{0,5}",
        choices in proptest::collection::vec(any::<u8>(), 1..12),
        pattern in 0..6,
    ) {
        prop_assume!(!word.trim().is_empty());
        let escaped = regex_syntax::escape(&word);
        let asked = match pattern {
            0 => format!("/{escaped}/"),
            1 => format!("/[a-c]*{escaped}/"),
            2 => format!("/(?i:{escaped})|bb/"),
            3 => format!("/^.*{escaped}[^x]?/"),
            4 => format!("/(?:{escaped}|cc)+a?/"),
            _ => word.clone(),
        };
        let text = format!("{before}{word}{behind}");
        let query = query(&[&asked]);
        let json = encoded(&text, &choices);
        let mut count = 0;
        query.candidates(json.as_bytes(), |_| count += 1);
        prop_assert!(!query.is_in(&text) || count == 1, "{asked} in {json}");
        prop_assert!(pattern != 5 || query.is_in(&text), "{asked} in {text}");
    }

    #[test]
    fn no_query_and_no_text_stop_it(word in ".{0,20}", text in ".{0,200}") {
        if let Ok(query) = SearchQuery::parse(&[word]) {
            prop_assert_eq!(query.is_in(&text), !query.places(&text).is_empty());
            query.excerpt(&text);
        }
    }
}
