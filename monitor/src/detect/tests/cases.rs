//! Cases of the detectors as data: what stands between `«` and `»` must be found, nothing else.

use crate::model::Confidence::{self, High, Low, Medium};

const CARD: &str = "CREDIT_CARD";
const SSN: &str = "US_SSN";
const IBAN: &str = "IBAN_CODE";
const EMAIL: &str = "EMAIL_ADDRESS";
const PHONE: &str = "PHONE_NUMBER";

/// Entity, text, confidence of every hit in it.
pub type Case = (&'static str, &'static str, Confidence);

/// Cases without a hit have the confidence that a hit would have had; it is not looked at.
const NONE: Confidence = Low;

#[rustfmt::skip]
pub const CREDIT_CARDS: &[Case] = &[
    // Grouped as on a card.
    (CARD, "«4111 1111 1111 1111»", High),
    (CARD, "pay with «4111-1111-1111-1111».", High),
    (CARD, "«4111.1111.1111.1111»", High),
    (CARD, "a=1&n=«4111+1111+1111+1111»&x=2", High),
    (CARD, "«4111\u{a0}1111\u{a0}1111\u{a0}1111»", High),
    (CARD, "«4111\u{2009}1111\u{2009}1111\u{2009}1111»", High),
    (CARD, "«4111\u{2011}1111\u{2011}1111\u{2011}1111»", High),
    (CARD, "«3782 822463 10005» and «3056 930902 5904»", High),
    (CARD, "«6200 0000 0000 0000 000»", High),
    (CARD, "2026-01-02 10 «4111 1111 1111 1111» 12/27 123", High),
    (CARD, "«4111 1111 1111 1111» 123", High),
    (CARD, "1 «5555 5555 5555 4444» 2", High),
    // In one piece, under a key or next to a word.
    (CARD, r#"{"cardNumber":"«4111111111111111»","cvv":"123"}"#, High),
    (CARD, r#"{"cardNumber":«4111111111111111»}"#, High),
    (CARD, r#"{\"card_number\":\"«4111111111111111»\"}"#, High),
    (CARD, "card=«4111111111111111»&x=1", High),
    (CARD, "a=+«4111111111111111»&card=1", High),
    (CARD, "X-Card: «378282246310005»\r\n", High),
    (CARD, "<pan>«5105105105105100»</pan>", High),
    (CARD, "Kreditkartennummer «5105105105105100»", High),
    (CARD, "numéro de carte : «4012888888881881»", High),
    (CARD, "mi tarjeta es «4012888888881881»", High),
    (CARD, "«4012888888881881» is my Visa", High),
    (CARD, "GET /v1/cards/«4111111111111111»/charge", High),
    (CARD, "card-«4111111111111111».pdf", High),
    (CARD, "maestro «5641820000000005»", High),
    (CARD, "card: «4 111 111 111 111 111»", Medium),
    // In one piece without any evidence.
    (CARD, "«4111111111111111»", Medium),
    (CARD, "It was 4111111111111112, no, «4111111111111111».", Low),
    (CARD, "x,«4222222222222»,y", Medium),
    (CARD, "\u{0}\u{10}«4111111111111111»\u{12}", Medium),
    (CARD, r"log\n«4111111111111111»\tend", Low),
    (CARD, "«2223003122003222»\t«2720990000000007»", Low),
    (CARD, r#"[17,6200000000000000000]"#, NONE),
    // Keys that say that it is something else.
    (CARD, r#"{"order_id":4111111111111111}"#, NONE),
    (CARD, r#"{"id": "4111111111111111"}"#, NONE),
    (CARD, r#"{"trace_id":4111111111111111}"#, NONE),
    (CARD, r#"{"card_timestamp":4111111111111111}"#, NONE),
    (CARD, r#"{"imei":"378282246310005"}"#, NONE),
    // Wrong numbers.
    (CARD, "4111 1111 1111 1112", NONE),
    (CARD, "card 0000000000000000 and 5555555555555555", NONE),
    (CARD, "card 7111111111111114 and 9111111111111110", NONE),
    (CARD, "card 411111111111111", NONE),
    // Inside of something longer.
    (CARD, "41111111111111110000 x4111111111111111 4111111111111111b", NONE),
    (CARD, "0.4111111111111111 -.4111111111111111 4111111111111111.25", NONE),
    (CARD, "0x4111111111111111 1-4111111111111111-2 4111111111111111-3", NONE),
    (CARD, "47223179-9330-4259-8111-111111111111", NONE),
    (CARD, "3f2b4111-1111-4111-1111-1110aa000000", NONE),
    (CARD, "d41d8cd98f00b204e9800998ecf8427e4111111111111111", NONE),
    (CARD, "order-4111111111111111 /items/4111111111111111 #4111111111111111", NONE),
    (CARD, "$4111111111111111 balance -4111111111111111", NONE),
    // Times: milli-, micro- and nanoseconds.
    (CARD, "1764000000000 1764000000000004 1764000000000000000", NONE),
    (CARD, r#"{"t":2200000000000004}"#, NONE),
    // A table of numbers, and digits set in no way that cards are.
    (CARD, "2048 «4111 1111 1111 1111» 4096 8192", Low),
    (CARD, "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", NONE),
    (CARD, "4111 1111-1111 1111", NONE),
    (CARD, "4111  1111  1111  1111", NONE),
];

#[rustfmt::skip]
pub const SSNS: &[Case] = &[
    (SSN, "«536-22-8726»", Medium),
    (SSN, "«536 22 8726»", Medium),
    (SSN, "a=«536+22+8726»", Medium),
    (SSN, "«536\u{2011}22\u{2011}8726»", Medium),
    (SSN, "«536.22.8726»", Low),
    (SSN, "SSN: «536-22-8726».", High),
    (SSN, r#"{"ssn":"«536-22-8726»"}"#, High),
    (SSN, r#"{"socialSecurityNumber":"«536 22 8726»"}"#, High),
    (SSN, "ssn=«536.22.8726»", High),
    (SSN, "his social security number is «536-22-8726»", High),
    (SSN, "«536-22-8726» (taxpayer)", High),
    (SSN, "numéro de sécurité sociale «536-22-8726»", High),
    (SSN, "número de seguro social: «536-22-8726»", High),
    (SSN, "ssn-«536-22-8726»", High),
    (SSN, r#"{"ssn":«536228726»}"#, Medium),
    (SSN, "ssn=«536228726»&x=1", Medium),
    (SSN, "Social Security «536228726»", Medium),
    (SSN, r#"{"order":"«536-22-8726»"}"#, Low),
    (SSN, r#"{"timestamp":"536-22-8726"}"#, NONE),
    // Not in a range that is issued.
    (SSN, "ssn 000-22-8726 666-22-8726 900-22-8726 999-22-8726", NONE),
    (SSN, "ssn 536-00-8726 536-22-0000 111-11-1111 333333333", NONE),
    // Not set like one.
    (SSN, "ssn 536-22 8726 53-622-8726 536-228726 536--22-8726", NONE),
    (SSN, "no. 10 is 536228726", NONE),
    (SSN, r#"{"id":536228726,"zip":"94105-1234"}"#, NONE),
    (SSN, r#"{"ssn_hash":536228726}"#, NONE),
    (SSN, "ssn 5362287260", NONE),
    // Inside of something longer.
    (SSN, "1-536-22-8726 536-22-8726-1 x536-22-8726 536-22-8726x", NONE),
    (SSN, "10 536 22 8726 11", NONE),
    (SSN, "order-536-22-8726", NONE),
    (SSN, "v1.536.22.8726", NONE),
    (SSN, "4111-1111-1111-1111", NONE),
];

#[rustfmt::skip]
pub const IBANS: &[Case] = &[
    (IBAN, "«GB82WEST12345698765432»", High),
    (IBAN, "«GB82 WEST 1234 5698 7654 32»", High),
    (IBAN, "«GB82-WEST-1234-5698-7654-32».", High),
    (IBAN, "«GB82.WEST.1234.5698.7654.32»", High),
    (IBAN, "«DE89370400440532013000»", High),
    (IBAN, "to «DE89 3704 0044 0532 0130 00» or «NO93 8601 1117 947»", High),
    (IBAN, r#"{"iban":"«FR1420041010050500013M02606»"}"#, High),
    (IBAN, "iban=«NL91ABNA0417164300»&bic=ABNANL2A", High),
    (IBAN, "<IBAN>«BE68539007547034»</IBAN>", High),
    (IBAN, "Kontonummer: «AT611904300234573201»", High),
    (IBAN, "IBAN:, «CH9300762011623852957»", High),
    (IBAN, "x\u{0}\u{16}«DE89370400440532013000»\u{1a}", High),
    (IBAN, "«MT84MALT011000012345MTLCAST001S»", High),
    (IBAN, "«DE8937040044 0532 013000»", Medium),
    (IBAN, "/accounts/«DE89370400440532013000»/x", Medium),
    (IBAN, "iban-«DE89370400440532013000».xml", High),
    (IBAN, "«DE89370400440532013000» SEPA", High),
    (IBAN, "«ES9121000418450200051332»,«IT60X0542811101000000123456»", High),
    // Check digits, structure, length, country.
    (IBAN, "DE88370400440532013000", NONE),
    (IBAN, "DE8937040044053201300 DE893704004405320130000", NONE),
    (IBAN, "GB8212345678901234567832", NONE),
    (IBAN, "XX89370400440532013000 US64SVBKUS6SIBM00000000", NONE),
    (IBAN, "de89370400440532013000 De89370400440532013000", NONE),
    // Separators.
    (IBAN, "DE89  3704 0044 0532 0130 00", NONE),
    (IBAN, "DE89 3704-0044 0532 0130 00", NONE),
    (IBAN, "DE89/3704/0044/0532/0130/00", NONE),
    (IBAN, "D E89 3704 0044 0532 0130 00", NONE),
    // Inside of something longer, or named as something else.
    (IBAN, "ADE89370400440532013000 1DE89370400440532013000", NONE),
    (IBAN, "DE89370400440532013000A DE89370400440532013000b", NONE),
    (IBAN, r#"{"sha256":"DE89370400440532013000"}"#, NONE),
];

#[rustfmt::skip]
pub const EMAILS: &[Case] = &[
    (EMAIL, "«jane.doe@mail.acme.io»", Medium),
    (EMAIL, "write «jane@acme.io», or «bob@acme.io».", Medium),
    (EMAIL, "«jane+tag@acme.co.uk» «o_x-y@acme.museum»", Medium),
    (EMAIL, "«a@xn--d1acufc.xn--p1ai»", Medium),
    (EMAIL, "«jürgen@müller.de»", Medium),
    (EMAIL, "x„«jane@acme.io»“", Medium),
    (EMAIL, r#"{"email":"«jane@acme.io»"}"#, High),
    (EMAIL, r#"{"userEmail":"«jane@acme.io»"}"#, High),
    (EMAIL, "to=«jane@acme.io»&x=1", High),
    (EMAIL, "RCPT TO:<«jane@acme.io»>", High),
    (EMAIL, r#"<a href="mailto:«jane@acme.io»">"#, High),
    (EMAIL, "E-Mail «jane@acme.io»", High),
    (EMAIL, "mon adresse de courriel : «jane@acme.io»", High),
    (EMAIL, "correo: «jane@acme.io»", High),
    (EMAIL, r"list\n«jane@acme.io»", Medium),
    (EMAIL, "«jane@acme.io»:hunter2", Medium),
    (EMAIL, "\u{0}\u{c}«jane@acme.io»\u{12}", Medium),
    (EMAIL, "'«jane@acme.io»'", Medium),
    (EMAIL, "..«jane@acme.io»", Medium),
    (EMAIL, "«jane@acme.io»--", Medium),
    (EMAIL, "«jane@corp.local» «svc@kafka.internal»", Low),
    (EMAIL, "«jane@example.com» «a@b.test»", Medium),
    // Nobody's.
    (EMAIL, "noreply@acme.io no-reply@acme.io do_not_reply@acme.io No.Reply+1@acme.io", NONE),
    (EMAIL, "1+bot@users.noreply.github.com mailer-daemon@acme.io", NONE),
    (EMAIL, "git@github.com:rust-lang/rust.git org-68@github.com:octo/x.git", NONE),
    (EMAIL, "https://jane:pw@acme.io/ ssh://jane@acme.io postgres://u:p@db.acme.io/x", NONE),
    (EMAIL, "Message-ID: <CAJ+x1y2@mail.acme.io>", NONE),
    // Not an address.
    (EMAIL, "logo@2x.png sprite@3x.min.js user@1000.service x@y.css", NONE),
    (EMAIL, "npm i @types/node lodash@4.17.21 react@18.2.0-rc.1", NONE),
    (EMAIL, "root@10.0.0.1 jane@acme jane@acme.i @acme.io jane@", NONE),
    (EMAIL, "jane@-acme.io jane@acme..io ja..ne@acme.io jane.@acme.io a@b.c@d", NONE),
    (EMAIL, "com.acme.Bar@1a2b3c4d image@sha256:0123", NONE),
];

#[rustfmt::skip]
pub const PHONES: &[Case] = &[
    (PHONE, "«+14155550132»", Medium),
    (PHONE, "«+1 415 555 0132», or «+1 (415) 555-0132».", Medium),
    (PHONE, "«+1-415-555-0132» «+1.415.555.0132»", Medium),
    (PHONE, "«+(1) 415 555 0132»", Medium),
    (PHONE, "«+49 30 1234567»", Medium),
    (PHONE, "«+44 (0)20 7946 0958» «+44(0)2079460958»", Medium),
    (PHONE, "«+55 11 98456 5666»", Medium),
    (PHONE, "«+39 06 698 82000»", Medium),
    (PHONE, "«+33 1 42 34 56 78» 20 items", Medium),
    (PHONE, "«+49 30 123456/78»", Medium),
    (PHONE, r#"{"phone":"«+14155550132»"}"#, High),
    (PHONE, r#"{"phoneNumber":"«+447911123456»"}"#, High),
    (PHONE, "tel:«+14155550132»", High),
    (PHONE, "From=«+14155550132»&Body=x", High),
    (PHONE, "Telefon «+49 30 1234567»", High),
    (PHONE, "call me at «+1 415 555 0132»", High),
    (PHONE, "téléphone : «+33 1 42 34 56 78»", High),
    (PHONE, "«+31 20 123 4567» (mobiel)", High),
    (PHONE, "\u{0}\u{c}«+14155550132»\u{12}", Medium),
    (PHONE, r#"{"id":"«+14155550132»"}"#, Low),
    // No such number.
    (PHONE, "+1 415 555 013 +1 015 555 0132 +999 123 456 789 +12345678", NONE),
    (PHONE, "phone +0100 +1 +15 +00000000000", NONE),
    (PHONE, "+14155550132987654321 +4111111111111111", NONE),
    // Set in no way that numbers are.
    (PHONE, "+1  415  555  0132 +1/415/555/0132 +1_415_555_0132 + 14155550132", NONE),
    // Inside of something longer.
    (PHONE, "a+14155550132 1+14155550132 +14155550132b ++14155550132", NONE),
    (PHONE, "2026-01-02T10:00:00+0100 12:00+01:00 1e+14155550132", NONE),
    (PHONE, r#"{"tz":"+14155550132","lat":"+33142345678"}"#, NONE),
    (PHONE, "@@ -1415,7 +1415,9 @@ 555-0132 030-1234567", NONE),
    (PHONE, "phone 14155550132", NONE),
];
