use annals_event::{Json, JsonErrorKind, Number, Object};
use proptest::prelude::*;

use crate::strategy;

fn canonical(text: &str) -> String {
    Json::parse(text.as_bytes()).expect("valid").to_canonical()
}

fn refused(text: &str) -> (JsonErrorKind, String) {
    let error = Json::parse(text.as_bytes()).expect_err(text);
    (error.kind, error.pointer)
}

/// RFC 8785, appendix B: bits of a double and how it is printed.
const NUMBERS: [(u64, &str); 23] = [
    (0x0000_0000_0000_0000, "0"),
    (0x8000_0000_0000_0000, "0"),
    (0x0000_0000_0000_0001, "5e-324"),
    (0x8000_0000_0000_0001, "-5e-324"),
    (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
    (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
    (0x4340_0000_0000_0000, "9007199254740992"),
    (0xc340_0000_0000_0000, "-9007199254740992"),
    (0x4430_0000_0000_0000, "295147905179352830000"),
    (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
    (0x44b5_2d02_c7e1_4af6, "1e+23"),
    (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
    (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
    (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
    (0x444b_1ae4_d6e2_ef50, "1e+21"),
    (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
    (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
    (0x41b3_de43_5555_5553, "333333333.3333332"),
    (0x41b3_de43_5555_5554, "333333333.33333325"),
    (0x41b3_de43_5555_5555, "333333333.3333333"),
    (0x41b3_de43_5555_5556, "333333333.3333334"),
    (0x41b3_de43_5555_5557, "333333333.33333343"),
    (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
];

#[test]
fn numbers_print_as_the_rfc_says() {
    for (bits, text) in NUMBERS {
        let value = f64::from_bits(bits);
        assert_eq!(Json::Number(Number::Float(value)).to_canonical(), text);
        match Number::from_f64(value) {
            Some(_) => assert_eq!(canonical(text), text),
            None => assert_eq!(
                refused(text),
                (JsonErrorKind::Number, String::new()),
                "{text}"
            ),
        }
    }
    assert_eq!(canonical("1424953923781206.2"), "1424953923781206.2");
    for not_finite in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Number::from_f64(not_finite), None);
    }
}

#[test]
fn numbers_count_by_value() {
    for (text, printed) in [
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("-1E+2", "-100"),
        ("4.50", "4.5"),
        ("2e-3", "0.002"),
        ("0.000000000000000000000000001", "1e-27"),
        ("333333333.33333329", "333333333.3333333"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("9007199254740991.0", "9007199254740991"),
    ] {
        assert_eq!(canonical(text), printed);
    }
    for text in [
        "9007199254740992",
        "-9007199254740992",
        "18446744073709551616",
        "1e400",
        "1e30",
    ] {
        assert_eq!(refused(text).0, JsonErrorKind::Number, "{text}");
    }
}

#[test]
fn members_sort_by_utf16() {
    // RFC 8785, 3.2.3: the emoji comes before the letter of U+FB33, though its code point is higher.
    let text = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
        "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
    let Json::Object(members) = Json::parse(text.as_bytes()).expect("valid") else {
        panic!()
    };
    let keys: Vec<_> = members.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["\r", "1", "\u{80}", "ö", "€", "😀", "\u{fb33}"]);
    assert_eq!(members.get_str("😀"), Some("Emoji: Grinning Face"));
}

#[test]
fn strings_escape_only_what_they_must() {
    // RFC 8785, 3.2.2.
    let text = r#"{"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
    let printed =
        "{\"literals\":[null,true,false],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(canonical(text), printed);
    assert_eq!(
        canonical(r#""\b\f\t\r\u007f\u2028""#),
        "\"\\b\\f\\t\\r\u{7f}\u{2028}\""
    );
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    use JsonErrorKind::{DuplicateKey, Incomplete, Nul, Syntax};
    assert_eq!(
        refused(r#"{"a":{"b":1,"b":1}}"#),
        (DuplicateKey, "/a/b".into())
    );
    assert_eq!(
        refused(r#"{"x~/y":[0,{"c":1,"a":2,"\u0063":3}]}"#),
        (DuplicateKey, "/x~0~1y/1/c".into())
    );
    assert_eq!(refused(r#"{"a":["x","\u0000"]}"#), (Nul, "/a/1".into()));
    assert_eq!(refused("{\"a\":{\"\\u0000\":1}}").0, Nul);
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\udc00\ud800""#,
    ] {
        assert_eq!(refused(text).0, Syntax, "{text}");
    }
    for text in [
        "\u{feff}{}",
        "{} {}",
        "[1,]",
        "{\"a\":1,}",
        "nulx",
        "'a'",
        "01",
        "+1",
        ".5",
        "[1.]",
        "NaN",
        "\"\t\"",
    ] {
        assert_eq!(refused(text).0, Syntax, "{text}");
    }
    for text in ["", " ", "{", "[1", "\"abc", r#"{"a""#] {
        assert_eq!(refused(text).0, Incomplete, "{text}");
    }
    assert_eq!(
        Json::parse(b"\"\xff\"").expect_err("not UTF-8").kind,
        Syntax
    );
    assert_eq!(
        Json::parse(b"\"\xed\xa0\x80\"")
            .expect_err("a surrogate")
            .kind,
        Syntax
    );
}

#[test]
fn nesting_ends() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Json::parse(nested(16).as_bytes()).is_ok());
    assert_eq!(
        refused(&nested(17)),
        (JsonErrorKind::TooDeep, "/0".repeat(16))
    );
    assert_eq!(
        refused(&"{\"a\":".repeat(100_000)).0,
        JsonErrorKind::TooDeep
    );
}

#[test]
fn an_object_keeps_order_and_uniqueness() {
    let mut object = Object::new();
    assert_eq!(object.insert("b", 1), None);
    assert_eq!(object.insert("a", "x"), None);
    assert_eq!(object.insert("b", true), Some(Json::from(1)));
    assert_eq!(object.to_canonical(), r#"{"a":"x","b":true}"#);
    assert_eq!(object.remove("a"), Some(Json::from("x")));
    assert_eq!(
        (object.len(), object.is_empty(), object.get("a")),
        (1, false, None)
    );
}

fn to_serde(value: &Json) -> serde_json::Value {
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => number.as_f64().into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(elements) => elements.iter().map(to_serde).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(key, value)| (key.to_owned(), to_serde(value)))
            .collect(),
    }
}

proptest! {
    #[test]
    fn canonical_text_is_stable(value in strategy::value()) {
        let text = value.to_canonical();
        let again = Json::parse(text.as_bytes()).expect("our own text");
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(again.to_canonical(), text);
    }

    #[test]
    fn canonical_text_is_what_another_writer_makes(value in strategy::value()) {
        let theirs = serde_json_canonicalizer::to_string(&to_serde(&value)).expect("valid");
        prop_assert_eq!(value.to_canonical(), theirs);
    }

    #[test]
    fn members_are_ordered_by_utf16_units(mut keys in proptest::collection::vec(strategy::text(), 0..8)) {
        let object = Object::from_iter(keys.iter().map(|key| (key.as_str(), true)));
        keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        keys.dedup();
        prop_assert_eq!(object.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);
    }

    #[test]
    fn spelling_does_not_matter(value in strategy::value()) {
        let spelled = serde_json::to_string_pretty(&to_serde(&value)).expect("valid");
        prop_assert_eq!(Json::parse(spelled.as_bytes()).expect("valid"), value);
    }
}
