//! The words that speak for and against each entity: English, German, French, Spanish, Italian,
//! Portuguese and Dutch. Data only; [`super::probe`] says how they are matched.

use super::detector::Words;

/// Keys under which machines store numbers that are nobody's: times, hashes, versions.
#[rustfmt::skip]
pub(super) const MACHINE_VALUES: &[&str] = &[
    "at", "build", "checksum", "created", "date", "datetime", "digest", "duration", "elapsed",
    "epoch", "etag", "guid", "hash", "iccid", "imei", "imsi", "lat", "latitude", "lng", "lon",
    "longitude", "md5", "meid", "micros", "millis", "modified", "ms", "nanos", "nonce", "ns",
    "offset", "sequence", "seq", "sha", "sha1", "sha256", "snowflake", "span", "spanid", "time",
    "timestamp", "trace", "traceid", "ts", "updated", "us", "uuid", "ver", "version",
];

/// Keys under which machines store numbers that name a thing.
#[rustfmt::skip]
pub(super) const MACHINE_NAMES: &[&str] = &[
    "barcode", "bytes", "count", "ean", "gtin", "id", "ids", "index", "invoice", "isbn", "item",
    "length", "order", "parcel", "pid", "product", "ref", "reference", "req", "request", "serial",
    "session", "shipment", "sid", "size", "sku", "tid", "token", "tracking", "transaction", "txn",
    "upc",
];

/// The words of an identifier that looks like what machines store.
pub(super) const fn of(key: &'static [&'static str], near: &'static [&'static str]) -> Words {
    Words { key, near, hostile: MACHINE_VALUES, doubtful: MACHINE_NAMES }
}

#[rustfmt::skip]
pub(super) const CREDIT_CARD: Words = Words {
    key: &["cb", "cc", "carta", "carte", "cartes"],
    near: &[
        "card", "cards", "cardnumber", "cardno", "cardnum", "creditcard", "creditcards",
        "creditcardnumber", "debitcard", "ccnumber", "ccnum", "ccn", "credit", "debit", "pan",
        "primary account number", "visa", "mastercard", "amex", "american express", "maestro",
        "jcb", "diners", "discover", "unionpay", "rupay", "cvv", "cvv2", "cvc", "cvc2",
        "cardholder", "card holder", "holder", "expiry", "expiration", "first name", "last name",
        "full name", "firstname", "lastname", "surname", "kreditkarte", "kreditkarten",
        "kreditkartennummer", "karte", "kartennummer", "kartennr", "bankkarte", "karteninhaber",
        "gültig bis", "carte bancaire", "carte bleue", "carte de crédit", "carte de credit",
        "numéro de carte", "numero de carte", "titulaire", "tarjeta", "tarjetas", "titular",
        "vencimiento", "carta di credito", "carta di debito", "numero carta", "intestatario",
        "scadenza", "cartão", "cartao", "validade", "kaart", "kaartnummer", "creditcardnummer",
        "betaalkaart", "bankpas", "vervaldatum",
    ],
    hostile: MACHINE_VALUES,
    doubtful: MACHINE_NAMES,
};

#[rustfmt::skip]
pub(super) const US_SSN: Words = Words {
    key: &["ss", "tin", "tax"],
    near: &[
        "ssn", "ssns", "ssnumber", "socialsecurity", "socialsecuritynumber", "social security",
        "soc sec", "tax id", "taxid", "taxpayer", "tax identification",
        "sozialversicherungsnummer", "us sozialversicherung", "sécurité sociale",
        "securite sociale", "seguro social", "seguridad social", "previdenza sociale",
        "sicurezza sociale", "segurança social", "seguranca social", "seguridade social",
        "sofinummer", "burgerservicenummer", "socialezekerheidsnummer",
    ],
    hostile: MACHINE_VALUES,
    doubtful: MACHINE_NAMES,
};

#[rustfmt::skip]
pub(super) const IBAN_CODE: Words = Words {
    key: &["account", "compte", "conta", "conto", "cuenta"],
    near: &[
        "iban", "ibans", "bank account", "bankaccount", "account number", "sepa", "bic", "swift",
        "beneficiary", "creditor", "debtor", "payee", "konto", "kontonummer", "bankkonto",
        "bankverbindung", "empfänger", "auftraggeber", "compte bancaire", "rib", "bénéficiaire",
        "beneficiaire", "cuenta bancaria", "beneficiario", "conto corrente", "conto bancario",
        "conta bancária", "conta bancaria", "beneficiário", "rekening", "rekeningnummer",
        "bankrekening", "begunstigde",
    ],
    hostile: &["etag", "hash", "nonce", "sha", "sha1", "sha256", "token"],
    doubtful: &[],
};

#[rustfmt::skip]
pub(super) const EMAIL_ADDRESS: Words = Words {
    key: &[
        "address", "author", "bcc", "cc", "contact", "customer", "from", "login", "member",
        "owner", "rcpt", "recipient", "recipients", "replyto", "reply to", "sender", "subscriber",
        "to", "user", "username", "adresse", "benutzer", "kontakt", "empfänger", "absender",
        "destinataire", "utilisateur", "contacto", "destinatario", "usuario", "contatto", "utente",
        "contato", "destinatário", "usuário", "gebruiker", "ontvanger", "afzender",
    ],
    near: &[
        "email", "emails", "mail", "mails", "e mail", "mailto", "mailbox", "emailaddress",
        "contact us", "emailadresse", "mailadresse", "courriel", "mél", "correo",
        "correo electrónico", "posta elettronica", "correio", "correio eletrónico", "mailadres",
        "emailadres",
    ],
    // What these headers hold has the form of an address (RFC 5322 section 3.6.4) and names a
    // message.
    hostile: &[
        "message id", "messageid", "msgid", "msg id", "references", "in reply to", "content id",
    ],
    doubtful: &[],
};

#[rustfmt::skip]
pub(super) const PHONE_NUMBER: Words = Words {
    key: &["from", "to", "contact", "number", "recipient", "kontakt", "contacto", "contatto"],
    near: &[
        "phone", "phones", "phonenumber", "phone number", "telephone", "tel", "mobile", "cell",
        "cellphone", "fax", "whatsapp", "sms", "msisdn", "call", "caller", "callee", "dial",
        "signal", "telegram", "telefon", "telefonnummer", "tel nr", "handy", "handynummer",
        "mobil", "mobilnummer", "rufnummer", "anrufen", "téléphone", "portable", "teléfono",
        "telefono", "móvil", "movil", "celular", "cellulare", "telefone", "telemóvel", "telemovel",
        "telefoon", "telefoonnummer", "mobiel", "gsm",
    ],
    hostile: &[
        "timezone", "tz", "utc", "offset", "version", "hash", "lat", "latitude", "lng", "lon",
        "longitude",
    ],
    doubtful: &["id", "order", "count", "index", "size"],
};
