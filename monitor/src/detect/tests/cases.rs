//! Cases of the detectors as data: what stands between `«` and `»` must be found, nothing else.

use crate::model::Confidence::{self, High, Low, Medium};
use crate::model::Entity::{self, CreditCard, EmailAddress, IbanCode, PhoneNumber, UsSsn};

/// Entity, text, confidence of every hit in it.
pub type Case = (Entity, &'static str, Confidence);

/// Cases without a hit have the confidence that a hit would have had; it is not looked at.
const NONE: Confidence = Low;

#[rustfmt::skip]
pub const CREDIT_CARDS: &[Case] = &[
    // Grouped as on a card.
    (CreditCard, "«4111 1111 1111 1111»", High),
    (CreditCard, "pay with «4111-1111-1111-1111».", High),
    (CreditCard, "«4111.1111.1111.1111»", High),
    (CreditCard, "a=1&n=«4111+1111+1111+1111»&x=2", High),
    (CreditCard, "«4111\u{a0}1111\u{a0}1111\u{a0}1111»", High),
    (CreditCard, "«4111\u{2009}1111\u{2009}1111\u{2009}1111»", High),
    (CreditCard, "«4111\u{2011}1111\u{2011}1111\u{2011}1111»", High),
    (CreditCard, "«3782 822463 10005» and «3056 930902 5904»", High),
    (CreditCard, "«6200 0000 0000 0000 000»", High),
    (CreditCard, "2026-01-02 10 «4111 1111 1111 1111» 12/27 123", High),
    (CreditCard, "«4111 1111 1111 1111» 123", High),
    (CreditCard, "1 «5555 5555 5555 4444» 2", High),
    // In one piece, under a key or next to a word.
    (CreditCard, r#"{"cardNumber":"«4111111111111111»","cvv":"123"}"#, High),
    (CreditCard, r#"{"cardNumber":«4111111111111111»}"#, High),
    (CreditCard, r#"{\"card_number\":\"«4111111111111111»\"}"#, High),
    (CreditCard, "card=«4111111111111111»&x=1", High),
    (CreditCard, "a=+«4111111111111111»&card=1", High),
    (CreditCard, "X-Card: «378282246310005»\r\n", High),
    (CreditCard, "<pan>«5105105105105100»</pan>", High),
    (CreditCard, "Kreditkartennummer «5105105105105100»", High),
    (CreditCard, "numéro de carte : «4012888888881881»", High),
    (CreditCard, "mi tarjeta es «4012888888881881»", High),
    (CreditCard, "«4012888888881881» is my Visa", High),
    (CreditCard, "GET /v1/cards/«4111111111111111»/charge", High),
    (CreditCard, "card-«4111111111111111».pdf", High),
    (CreditCard, "maestro «5641820000000005»", High),
    (CreditCard, "card: «4 111 111 111 111 111»", Medium),
    // In one piece without any evidence.
    (CreditCard, "«4111111111111111»", Medium),
    (CreditCard, "It was 4111111111111112, no, «4111111111111111».", Medium),
    (CreditCard, "x,«4222222222222»,y", Medium),
    (CreditCard, "\u{0}\u{10}«4111111111111111»\u{12}", Medium),
    (CreditCard, r"log\n«4111111111111111»\tend", Medium),
    (CreditCard, "«2223003122003222»\t«2720990000000007»", Medium),
    (CreditCard, r#"[17,«6200000000000000000»]"#, Low),
    // Keys that say that it is something else.
    (CreditCard, r#"{"order_id":«4111111111111111»}"#, Low),
    (CreditCard, r#"{"id": "«4111111111111111»"}"#, Low),
    (CreditCard, r#"{"trace_id":4111111111111111}"#, NONE),
    (CreditCard, r#"{"card_timestamp":4111111111111111}"#, NONE),
    (CreditCard, r#"{"imei":"378282246310005"}"#, NONE),
    // Wrong numbers.
    (CreditCard, "4111 1111 1111 1112", NONE),
    (CreditCard, "card 0000000000000000 and 5555555555555555", NONE),
    (CreditCard, "card 7111111111111114 and 9111111111111110", NONE),
    (CreditCard, "card 411111111111111", NONE),
    // Inside of something longer.
    (CreditCard, "41111111111111110000 x4111111111111111 4111111111111111b", NONE),
    (CreditCard, "0.4111111111111111 -.4111111111111111 4111111111111111.25", NONE),
    (CreditCard, "0x4111111111111111 1-4111111111111111-2 4111111111111111-3", NONE),
    (CreditCard, "47223179-9330-4259-8111-111111111111", NONE),
    (CreditCard, "3f2b4111-1111-4111-1111-1110aa000000", NONE),
    (CreditCard, "d41d8cd98f00b204e9800998ecf8427e4111111111111111", NONE),
    (CreditCard, "order-4111111111111111 /items/4111111111111111 #4111111111111111", NONE),
    (CreditCard, "$4111111111111111 balance -4111111111111111", NONE),
    // Times: milli-, micro- and nanoseconds.
    (CreditCard, "1764000000000 1764000000000004 1764000000000000000", NONE),
    (CreditCard, r#"{"t":2200000000000004}"#, NONE),
    // A table of numbers, and digits set in no way that cards are.
    (CreditCard, "2048 «4111 1111 1111 1111» 4096 8192", Low),
    (CreditCard, "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", NONE),
    (CreditCard, "4111 1111-1111 1111", NONE),
    (CreditCard, "4111  1111  1111  1111", NONE),
];

#[rustfmt::skip]
pub const SSNS: &[Case] = &[
    (UsSsn, "«536-22-8726»", Medium),
    (UsSsn, "«536 22 8726»", Medium),
    (UsSsn, "a=«536+22+8726»", Medium),
    (UsSsn, "«536\u{2011}22\u{2011}8726»", Medium),
    (UsSsn, "«536.22.8726»", Low),
    (UsSsn, "SSN: «536-22-8726».", High),
    (UsSsn, r#"{"ssn":"«536-22-8726»"}"#, High),
    (UsSsn, r#"{"socialSecurityNumber":"«536 22 8726»"}"#, High),
    (UsSsn, "ssn=«536.22.8726»", High),
    (UsSsn, "his social security number is «536-22-8726»", High),
    (UsSsn, "«536-22-8726» (taxpayer)", High),
    (UsSsn, "numéro de sécurité sociale «536-22-8726»", High),
    (UsSsn, "número de seguro social: «536-22-8726»", High),
    (UsSsn, "ssn-«536-22-8726»", High),
    (UsSsn, r#"{"ssn":«536228726»}"#, Medium),
    (UsSsn, "ssn=«536228726»&x=1", Medium),
    (UsSsn, "Social Security «536228726»", Medium),
    (UsSsn, r#"{"order":"«536-22-8726»"}"#, Low),
    (UsSsn, r#"{"timestamp":"«536-22-8726»"}"#, Low),
    // Not in a range that is issued.
    (UsSsn, "ssn 000-22-8726 666-22-8726 900-22-8726 999-22-8726", NONE),
    (UsSsn, "ssn 536-00-8726 536-22-0000 111-11-1111 333333333", NONE),
    // Not set like one.
    (UsSsn, "ssn 536-22 8726 53-622-8726 536-228726 536--22-8726", NONE),
    (UsSsn, "536228726", NONE),
    (UsSsn, r#"{"id":536228726,"zip":"94105-1234"}"#, NONE),
    (UsSsn, r#"{"ssn_hash":536228726}"#, NONE),
    (UsSsn, "ssn 5362287260", NONE),
    // Inside of something longer.
    (UsSsn, "1-536-22-8726 536-22-8726-1 x536-22-8726 536-22-8726x", NONE),
    (UsSsn, "10 536 22 8726 11", NONE),
    (UsSsn, "order-536-22-8726", NONE),
    (UsSsn, "v1.536.22.8726", NONE),
    (UsSsn, "4111-1111-1111-1111", NONE),
];

#[rustfmt::skip]
pub const IBANS: &[Case] = &[
    (IbanCode, "«GB82WEST12345698765432»", High),
    (IbanCode, "«GB82 WEST 1234 5698 7654 32»", High),
    (IbanCode, "«GB82-WEST-1234-5698-7654-32».", High),
    (IbanCode, "«GB82.WEST.1234.5698.7654.32»", High),
    (IbanCode, "«DE89370400440532013000»", High),
    (IbanCode, "to «DE89 3704 0044 0532 0130 00» or «NO93 8601 1117 947»", High),
    (IbanCode, r#"{"iban":"«FR1420041010050500013M02606»"}"#, High),
    (IbanCode, "iban=«NL91ABNA0417164300»&bic=ABNANL2A", High),
    (IbanCode, "<IBAN>«BE68539007547034»</IBAN>", High),
    (IbanCode, "Kontonummer: «AT611904300234573201»", High),
    (IbanCode, "IBAN:, «CH9300762011623852957»", High),
    (IbanCode, "x\u{0}\u{16}«DE89370400440532013000»\u{1a}", High),
    (IbanCode, "«MT84MALT011000012345MTLCAST001S»", High),
    (IbanCode, "«DE8937040044 0532 013000»", Medium),
    (IbanCode, "/accounts/«DE89370400440532013000»/x", Low),
    (IbanCode, "iban-«DE89370400440532013000».xml", High),
    (IbanCode, "«DE89370400440532013000» SEPA", High),
    (IbanCode, "«ES9121000418450200051332»,«IT60X0542811101000000123456»", High),
    // Check digits, structure, length, country.
    (IbanCode, "DE88370400440532013000", NONE),
    (IbanCode, "DE8937040044053201300 DE893704004405320130000", NONE),
    (IbanCode, "GB8212345678901234567832", NONE),
    (IbanCode, "XX89370400440532013000 US64SVBKUS6SIBM00000000", NONE),
    (IbanCode, "de89370400440532013000 De89370400440532013000", NONE),
    // Separators.
    (IbanCode, "DE89  3704 0044 0532 0130 00", NONE),
    (IbanCode, "DE89 3704-0044 0532 0130 00", NONE),
    (IbanCode, "DE89/3704/0044/0532/0130/00", NONE),
    (IbanCode, "D E89 3704 0044 0532 0130 00", NONE),
    // Inside of something longer, or named as something else.
    (IbanCode, "ADE89370400440532013000 1DE89370400440532013000", NONE),
    (IbanCode, "DE89370400440532013000A DE89370400440532013000b", NONE),
    (IbanCode, r#"{"sha256":"DE89370400440532013000"}"#, NONE),
];

#[rustfmt::skip]
pub const EMAILS: &[Case] = &[
    (EmailAddress, "«jane.doe@mail.acme.io»", Medium),
    (EmailAddress, "write «jane@acme.io», or «bob@acme.io».", Medium),
    (EmailAddress, "«jane+tag@acme.co.uk» «o_x-y@acme.museum»", Medium),
    (EmailAddress, "«a@xn--d1acufc.xn--p1ai»", Medium),
    (EmailAddress, "«jürgen@müller.de»", Medium),
    (EmailAddress, "x„«jane@acme.io»“", Medium),
    (EmailAddress, r#"{"email":"«jane@acme.io»"}"#, High),
    (EmailAddress, r#"{"userEmail":"«jane@acme.io»"}"#, High),
    (EmailAddress, "to=«jane@acme.io»&x=1", High),
    (EmailAddress, "RCPT TO:<«jane@acme.io»>", High),
    (EmailAddress, r#"<a href="mailto:«jane@acme.io»">"#, High),
    (EmailAddress, "E-Mail «jane@acme.io»", High),
    (EmailAddress, "mon adresse de courriel : «jane@acme.io»", High),
    (EmailAddress, "correo: «jane@acme.io»", High),
    (EmailAddress, r"list\n«jane@acme.io»", Medium),
    (EmailAddress, "«jane@acme.io»:hunter2", Medium),
    (EmailAddress, "\u{0}\u{c}«jane@acme.io»\u{12}", Medium),
    (EmailAddress, "'«jane@acme.io»'", Medium),
    (EmailAddress, "..«jane@acme.io»", Medium),
    (EmailAddress, "«jane@acme.io»--", Medium),
    (EmailAddress, "«jane@corp.local» «svc@kafka.internal»", Low),
    (EmailAddress, "«jane@example.com» «a@b.test»", Medium),
    // Nobody's.
    (EmailAddress, "noreply@acme.io no-reply@acme.io do_not_reply@acme.io No.Reply+1@acme.io", NONE),
    (EmailAddress, "1+bot@users.noreply.github.com mailer-daemon@acme.io", NONE),
    (EmailAddress, "git@github.com:rust-lang/rust.git org-68@github.com:octo/x.git", NONE),
    (EmailAddress, "https://jane:pw@acme.io/ ssh://jane@acme.io postgres://u:p@db.acme.io/x", NONE),
    (EmailAddress, "Message-ID: <CAJ+x1y2@mail.acme.io>", NONE),
    // Not an address.
    (EmailAddress, "logo@2x.png sprite@3x.min.js user@1000.service x@y.css", NONE),
    (EmailAddress, "npm i @types/node lodash@4.17.21 react@18.2.0-rc.1", NONE),
    (EmailAddress, "root@10.0.0.1 jane@acme jane@acme.i @acme.io jane@", NONE),
    (EmailAddress, "jane@-acme.io jane@acme..io ja..ne@acme.io jane.@acme.io a@b.c@d", NONE),
    (EmailAddress, "com.acme.Bar@1a2b3c4d image@sha256:0123", NONE),
];

#[rustfmt::skip]
pub const PHONES: &[Case] = &[
    (PhoneNumber, "«+14155550132»", Medium),
    (PhoneNumber, "«+1 415 555 0132», or «+1 (415) 555-0132».", Medium),
    (PhoneNumber, "«+1-415-555-0132» «+1.415.555.0132»", Medium),
    (PhoneNumber, "«+(1) 415 555 0132»", Medium),
    (PhoneNumber, "«+49 30 1234567»", Medium),
    (PhoneNumber, "«+44 (0)20 7946 0958» «+44(0)2079460958»", Medium),
    (PhoneNumber, "«+55 11 98456 5666»", Medium),
    (PhoneNumber, "«+39 06 698 82000»", Medium),
    (PhoneNumber, "«+33 1 42 34 56 78» 20 items", Medium),
    (PhoneNumber, "«+49 30 123456/78»", Medium),
    (PhoneNumber, r#"{"phone":"«+14155550132»"}"#, High),
    (PhoneNumber, r#"{"phoneNumber":"«+447911123456»"}"#, High),
    (PhoneNumber, "tel:«+14155550132»", High),
    (PhoneNumber, "From=«+14155550132»&Body=x", High),
    (PhoneNumber, "Telefon «+49 30 1234567»", High),
    (PhoneNumber, "call me at «+1 415 555 0132»", High),
    (PhoneNumber, "téléphone : «+33 1 42 34 56 78»", High),
    (PhoneNumber, "«+31 20 123 4567» (mobiel)", High),
    (PhoneNumber, "\u{0}\u{c}«+14155550132»\u{12}", Medium),
    (PhoneNumber, r#"{"id":"«+14155550132»"}"#, Low),
    // No such number.
    (PhoneNumber, "+1 415 555 013 +1 015 555 0132 +999 123 456 789 +12345678", NONE),
    (PhoneNumber, "phone +0100 +1 +15 +00000000000", NONE),
    (PhoneNumber, "+14155550132987654321 +4111111111111111", NONE),
    // Set in no way that numbers are.
    (PhoneNumber, "+1  415  555  0132 +1/415/555/0132 +1_415_555_0132 + 14155550132", NONE),
    // Inside of something longer.
    (PhoneNumber, "a+14155550132 1+14155550132 +14155550132b ++14155550132", NONE),
    (PhoneNumber, "2026-01-02T10:00:00+0100 12:00+01:00 1e+14155550132", NONE),
    (PhoneNumber, r#"{"tz":"+14155550132","lat":"+33142345678"}"#, NONE),
    (PhoneNumber, "@@ -1415,7 +1415,9 @@ 555-0132 (415) 555-0132", NONE),
    (PhoneNumber, "phone 14155550132 030-1234567", NONE),
];
