//! Cases of the detectors of secrets, of machines, of places and times, and of what only a key tells.

use super::cases::Case;
use super::{ALL, entities, find_in};
use crate::model::Confidence::{High, Low, Medium};

/// Cases without a hit have the confidence that a hit would have had; it is not looked at.
const NONE: crate::model::Confidence = Low;

#[rustfmt::skip]
pub const SECRETS: &[Case] = &[
    ("JWT", "Bearer «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLW9mLW5vdGhpbmc»", High),
    ("JWT", r#"{"t":"«eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0MiIsIngiOjF9.AbCdEf-_0123456789»"}"#, High),
    ("JWT", "jwt=«eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MiJ9» end", High),
    ("JWT", "https://a.io/cb?t=«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl»&x", High),
    ("JWT", "log\\n«eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl»", High),
    ("JWT", "eyJmb28iOiJiYXIifQ.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl", NONE),
    ("JWT", "eyJhbGciOiJIUzI1NiJ9 and no more", NONE),
    ("JWT", "xeyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2ln eyJ.eyJ.eyJ", NONE),
    ("PRIVATE_KEY", "a «-----BEGIN RSA PRIVATE KEY-----\nTm90QUtleUp1c3RBbkV4YW1wbGVPZk9uZVRoYXRJc0xvbmc=\n-----END RSA PRIVATE KEY-----» b", High),
    ("PRIVATE_KEY", r#"{"key":"«-----BEGIN PRIVATE KEY-----\nTm90QUtleUp1c3RBbkV4YW1wbGVPZk9uZVRoYXRJc0xvbmc=\n-----END PRIVATE KEY-----»\n"}"#, High),
    ("PRIVATE_KEY", "«-----BEGIN OPENSSH PRIVATE KEY-----\nTm90QUtleUp1c3RBbkV4YW1wbGVPZk9uZVRoYXRJc0xv»", High),
    ("PRIVATE_KEY", "-----BEGIN PUBLIC KEY-----\nTm90QUtleUp1c3RBbkV4YW1wbGVPZk9uZVRoYXRJc0xvbmc=\n-----END PUBLIC KEY-----", NONE),
    ("PRIVATE_KEY", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", NONE),
    ("PRIVATE_KEY", "it begins with -----BEGIN PRIVATE KEY----- and then", NONE),
    ("GITHUB_TOKEN", "«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»", High),
    ("GITHUB_TOKEN", "https://x:«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»@github.com", High),
    ("GITHUB_TOKEN", "github_pat_11ABCDEFG0 ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", NONE),
    ("GITHUB_TOKEN", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx x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", NONE),
    ("AWS_ACCESS_KEY", "key «AKIAZ3MSJ5QNXW7RTB2K» and «ASIAQ7T2LMXW4PJ5NRKB»", High),
    ("AWS_ACCESS_KEY", "AKIAZ3MSJ5QNXW7RTB2 AKIAZ3MSJ5QNXW7RTB2KX xAKIAZ3MSJ5QNXW7RTB2K AKIAXXXXXXXXXXXXXXXX", NONE),
    ("GOOGLE_API_KEY", "?key=«AIzaSyB7x2Qk9vLm4Rt0WpZc8Nf3Hj6Yd1Gs5Ae»&v=3", High),
    ("GOOGLE_API_KEY", "AIzaSyB7x2Qk9vLm4Rt0WpZc8Nf3Hj6Yd1Gs5A AIza", NONE),
    ("STRIPE_KEY", "«sk_live_4eXq7LzR2mKt9WvB3nHs8PyD» «rk_test_4eXq7LzR2mKt9WvB3nHs8PyD»", High),
    ("STRIPE_KEY", "sk_live_short task_live_4eXq7LzR2mKt9WvB3nHs8PyD pk_live_4eXq7LzR2mKt9WvB3nHs8PyD", NONE),
    ("SLACK_TOKEN", "«xoxb-284710395561-290184471023-Qm4Zr8Tn2Kv6Xw1Lp9Bs3Hd7»", High),
    ("SLACK_TOKEN", "https://«hooks.slack.com/services/T02ABCDEF/B03GHIJKL/Qm4Zr8Tn2Kv6Xw1Lp9Bs3Hd7»", High),
    ("SLACK_TOKEN", "xoxb-not-a-token hooks.slack.com/services/ xoxb-", NONE),
    ("GITLAB_TOKEN", "PRIVATE-TOKEN: «glpat-x9Kq2LmZ7vRt4WpB8nHs»", High),
    ("GITLAB_TOKEN", "glpat-xxxxxxxxxxxxxxxxxxxx glpat-short", NONE),
    ("NPM_TOKEN", "_authToken=«npm_a8Kd2LmZ7vRt4WpB9nHsQ3xYc6Gf1Je5Uo0T»", High),
    ("NPM_TOKEN", "npm_config_registry npm_lifecycle_event_of_a_long_script_name", NONE),
    ("OPENAI_API_KEY", "«sk-proj-Qm4Zr8Tn2Kv6Xw1Lp9BsT3BlbkFJ3Hd7Yc5Gf0Je2Uo8Ka6Ri»", High),
    ("OPENAI_API_KEY", "sk-this-is-a-css-class-name-of-some-length-and-more task-Qm4Zr8Tn2Kv6Xw1Lp9BsT3BlbkFJ3Hd7Yc5Gf0", NONE),
    ("SENDGRID_API_KEY", "x «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» y", High),
    ("SENDGRID_API_KEY", "MSG.send SG.k9Qx2LmZ7vRt4WpB8nHs1A.short", NONE),
    ("TWILIO_API_KEY", "twilio «SK3f9a1c7e5b2d8f4061a9c3e7b5d2f804»", High),
    ("TWILIO_API_KEY", "SK3F9A1C7E5B2D8F4061A9C3E7B5D2F804 AC3f9a1c7e5b2d8f4061a9c3e7b5d2f804", NONE),
    ("AZURE_KEY", "AccountName=a;AccountKey=«RXx2nznYZEGZwOW9vPvIWzfOkcveH8Gw6mtE8TBDbdcpymm9nozrpqB9HewlsbCH7xJsBy8NIdfbCzN3dzilxg==»;x", High),
    ("AZURE_KEY", "AccountKey=<key>;AccountKey=abcd==", NONE),
];

#[rustfmt::skip]
pub const KEYED_SECRETS: &[Case] = &[
    ("PASSWORD", r#"{"password":"«Tr0ub4dor&3x»"}"#, High),
    ("PASSWORD", "user=jane&passwd=«hunter2»&x=1", High),
    ("PASSWORD", "DB_PASSWORD=\"«k3J!sPq7»\"\nX=1", High),
    ("PASSWORD", "db_password: «k3J!sPq7»\nx: 1", High),
    ("PASSWORD", "<Password>«k3J!sPq7»</Password>", High),
    ("PASSWORD", r#"{\"userPassword\":\"«k3J!sPq7»\"}"#, High),
    ("PASSWORD", "2026 WARN could not store smtp password: «k3J!sPq7» (attempt 1 of 5)", High),
    ("PASSWORD", "Kennwort: «Geheim12»", High),
    ("PASSWORD", r#"{"password":"«letmein»"}"#, Low),
    ("PASSWORD", r#"{"password":"changeme","pwd":"${PWD}","passwd":"<password>","pass":"xxxx"}"#, NONE),
    ("PASSWORD", r#"{"password":null,"has_password":true,"password":"","passwordLength":"12345678"}"#, NONE),
    ("PASSWORD", r#"{"password":"Enter your password","password_hint":"k3J!sPq7"}"#, NONE),
    ("PASSWORD", "this.password=e.password;a={password:n.value,pwd:getPassword()}", NONE),
    ("PASSWORD", r#"{"pass":12,"password":"********","password":"$2b$12$abcdefghijklmnopqrstuv"}"#, NONE),
    ("PASSWORD", "login?user=jane&password=«zTwEK.wffOdCh»&x=1", High),
    ("PASSWORD", "didRenderDuringThisPass = didSchedule; x = {password: userInput, pwd = other}", NONE),
    ("PASSWORD", "if (password === confirmation) password == null", NONE),
    ("ACCESS_TOKEN", r#"{"client_secret":"«k3J9sPq7Lw2Xz5Vn4TrZx81k»"}"#, High),
    ("ACCESS_TOKEN", "X-Api-Key: «9f86d081884c7d659a2feaa0»\r\n", High),
    ("ACCESS_TOKEN", "Authorization: Bearer «k3J9sPq7Lw2Xz5Vn4TrZx81k»\r\n", High),
    ("ACCESS_TOKEN", "authorization: Basic «amFuZTprM0ohc1BxNw==»\r\n", High),
    ("ACCESS_TOKEN", "curl -H 'Authorization: Bearer «k3J9sPq7Lw2Xz5Vn4TrZx81k»' x", High),
    ("ACCESS_TOKEN", "token=«k3J9sPq7Lw2Xz5Vn4TrZx81k»&x=1", High),
    ("ACCESS_TOKEN", r#"{"token":"«3f2b4111-1d11-4a11-81f1-1110aa0c0b0e»"}"#, Medium),
    ("ACCESS_TOKEN", r#"{"nextPageToken":"k3J9sPq7Lw2Xz5Vn4TrZx81k","next_token":"k3J9sPq7Lw2Xz5Vn4TrZx81k"}"#, NONE),
    ("ACCESS_TOKEN", r#"{"token":"","secret":"your-secret-here-1234","api_key":"YOUR_API_KEY","token":"string"}"#, NONE),
    ("ACCESS_TOKEN", r#"{"ChangeToken":"3f2b4111-1d11-4a11-81f1-1110aa0c0b0e","token":"eyJ2IjoiMSIsInMiOj..."}"#, NONE),
    ("ACCESS_TOKEN", "arn:aws:secretsmanager:us-west-2:123456789012:secret:MyTestSecret-a1b2c3", NONE),
    ("ACCESS_TOKEN", r#"{"secret_name":"k3J9sPq7Lw2Xz5Vn4TrZx81k","token_type":"k3J9sPq7Lw2Xz5Vn4TrZx81k"}"#, NONE),
    ("ACCESS_TOKEN", r#"{"token":"https://acme.io/a1b2c3d4e5f6g7h8i9","csrf_token":"k3J9sPq7Lw2Xz5Vn4TrZx81k"}"#, NONE),
    ("SESSION_COOKIE", "Cookie: «a=1; sid=9f86d081884c7d659a2feaa0»\r\nHost: x", High),
    ("SESSION_COOKIE", "Set-Cookie: «sid=9f86d081884c7d659a2feaa0»; Path=/; HttpOnly\r\n", High),
    ("SESSION_COOKIE", r#"{"sessionId":"«9f86d081884c7d659a2feaa0»"}"#, High),
    ("SESSION_COOKIE", "JSESSIONID=«9f86d081884c7d659a2feaa0»;x", High),
    ("SESSION_COOKIE", r#"{"session_id":"«3f2b4111-1d11-4a11-81f1-1110aa0c0b0e»"}"#, Low),
    ("SESSION_COOKIE", "Cookie: theme=dark; lang=en\r\n", NONE),
    ("SESSION_COOKIE", r#"{"session":{"id":"to-get-a-remote-session-1471014119414"}}"#, NONE),
    ("SESSION_COOKIE", r#"{"session":"morning","session_count":"9f86d081884c7d659a2feaa0"}"#, NONE),
    ("AWS_SECRET_KEY", "aws_secret_access_key = «q7Lw2Xz5k3J9sPVn4TrZx81kQpLm20Yd/Gs5Ae7U»", High),
    ("AWS_SECRET_KEY", r#"{"SecretAccessKey":"«q7Lw2Xz5k3J9sPVn4TrZx81kQpLm20Yd/Gs5Ae7U»"}"#, High),
    ("AWS_SECRET_KEY", "aws_secret_access_key = ${SECRET} secret_key=da39a3ee5e6b4b0d3255bfef95601890afd80709", NONE),
    ("URL_PASSWORD", "postgres://app:«q7Lw2Xz5k3»@db.acme.io:5432/main", High),
    ("URL_PASSWORD", "url=https://jane:«h@nter2»@acme.io/x", High),
    ("URL_PASSWORD", "amqp://guest:«guest»@localhost", Low),
    ("URL_PASSWORD", "ssh://git@github.com https://acme.io/@jane mongodb://${USER}:${PASS}@db x://a:b@c", NONE),
    ("URL_PASSWORD", "https://acme.io:8080/a@b redis://:password@localhost", NONE),
];

#[rustfmt::skip]
pub const MONEY: &[Case] = &[
    ("CRYPTO", "«16AqYshidxibjiKXJMFCg2GyZ1mci68cL1» «3QNV2Z2hwVy7tYLH38iheDqKz26bwze3gJ»", High),
    ("CRYPTO", "pay to «bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq», please", High),
    ("CRYPTO", "«bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0»", High),
    ("CRYPTO", r#"{"to":"«0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed»"}"#, High),
    ("CRYPTO", "ethereum wallet «0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed»", Medium),
    ("CRYPTO", "16AqYshidxibjiKXJMFCg2GyZ1mci68cL2 bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp", NONE),
    ("CRYPTO", r#"{"to":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed","h":"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"}"#, NONE),
    ("CARD_TRACK", "«;4539578763621486=27121010000012345678?»", High),
    ("CARD_TRACK", r#"{"t2":"«4539578763621486=27121010000012345678»"}"#, High),
    ("CARD_TRACK", "«%B4539578763621486^KOVAR/JANA^27121010000012345678?»", High),
    ("CARD_TRACK", "4539578763621487=2712101 4539578763621486=27991010000 a=4539578763621486&b=1", NONE),
    ("CARD_TRACK", "%B4539578763621486^kovar^2712101 %B4%D0%B5", NONE),
    ("CARD_CVV", r#"{"pan":"4539578763621486","cvv":"«123»"}"#, High),
    ("CARD_CVV", "card=4539+5787+6362+1486&security_code=«1234»", High),
    ("CARD_CVV", r#"{"cvv":"«123»"}"#, Low),
    ("CARD_CVV", r#"{"cardSecurityCode":"«123»"}"#, Low),
    ("CARD_CVV", r#"{"security_code":"123","cvv_result":"123"}"#, NONE),
    ("CARD_CVV", r#"{"pan":"4539578763621486","cvv":"12345","cvv":"M","cvv":"***"}"#, NONE),
    ("US_BANK_NUMBER", r#"{"accountNumber":"«409281736450»"}"#, High),
    ("US_BANK_NUMBER", "account_number=«40928173»&x=1", High),
    ("US_BANK_NUMBER", "from my checking account «409281736450», thanks", Medium),
    ("US_BANK_NUMBER", r#"{"accountId":"409281736450"}"#, NONE),
    ("US_BANK_NUMBER", "409281736450 1764000000 ts=1764000000000", NONE),
];

#[rustfmt::skip]
pub const PEOPLE: &[Case] = &[
    ("PERSON", r#"{"fullName":"«Jana Kovar»"}"#, High),
    ("PERSON", r#"{"first_name":"«Jana»","last_name":"«O'Brien-Lindqvist»"}"#, High),
    ("PERSON", "customer_name=«Jana+Kovar»&x=1", High),
    ("PERSON", r#"{"customer":{"id":7,"name":"«Jana Kovar»"}}"#, High),
    ("PERSON", "user[name]=«Jana»&x=1", High),
    ("PERSON", "<Surname>«van der Berg»</Surname>", High),
    ("PERSON", "could not store full name: «Jana Kovar» (attempt 1 of 5)", High),
    ("PERSON", r#"{"姓名":"«山田太郎»"}"#, High),
    ("PERSON", r#"{"name":"«Jana Kovar»","email":"jane@acme.io"}"#, Medium),
    ("PERSON", r#"{"file_name":"Jana Kovar","hostname":"Jana","class_name":"Jana","eventName":"Jana Kovar"}"#, NONE),
    ("PERSON", r#"{"username":"Jana","user_name":"Jana","product_name":"Jana Kovar"}"#, NONE),
    ("PERSON", r#"{"firstName":"jana1","lastName":"First Name","surname":"null","firstName":""}"#, NONE),
    ("PERSON", "t.firstName=e.firstName,{lastName:n,firstName:Xe}", NONE),
    ("PERSON", r#"{"tool":{"name":"Rubocop"},"userIdentity":{"name":"Bob"},"name":"ISC License"}"#, NONE),
    ("PERSON", r#"{"name":"kafka","name":"my-service","name":"Kafka"}"#, NONE),
    ("STREET_ADDRESS", r#"{"address":"«12 Willow Creek Road»"}"#, High),
    ("STREET_ADDRESS", "street=«Lindenstraße+12»&x=1", High),
    ("STREET_ADDRESS", r#"{"shippingAddress":{"line1":"x","street":"«12 rue des Tilleuls»"}}"#, High),
    ("STREET_ADDRESS", "could not store home address: «12 Willow Creek Road» (attempt 1 of 5)", High),
    ("STREET_ADDRESS", r#"{"address":"10.0.0.1:80","address":"0x7ffe12","address":"jane@acme.io"}"#, NONE),
    ("STREET_ADDRESS", r#"{"address":"listening on port 8080","ip_address":"12 Willow Creek Road"}"#, NONE),
    ("DATE_OF_BIRTH", r#"{"dob":"«1985-03-12»"}"#, High),
    ("DATE_OF_BIRTH", "birth_date=«12.03.1985»&x=1", High),
    ("DATE_OF_BIRTH", r#"{"dateOfBirth":"«1985-03-12»T00:00:00Z"}"#, High),
    ("DATE_OF_BIRTH", r#"{"birthdate":"«19850312»"}"#, High),
    ("DATE_OF_BIRTH", "she was born on «March 12, 1985» in Prague", High),
    ("DATE_OF_BIRTH", "geboren am «12.03.1985» in Prag", High),
    ("DATE_OF_BIRTH", r#"{"created":"1985-03-12","date":"12/03/1985","birth_place":"1985-03-12"}"#, NONE),
    ("DATE_OF_BIRTH", r#"{"dob":"1985-13-12","dob":"12345678","dob":"2185-03-12","dob":null}"#, NONE),
    ("MEDICAL_RECORD_NUMBER", r#"{"mrn":"«MRN40718263»"}"#, High),
    ("MEDICAL_RECORD_NUMBER", "patient_id=«H40718263»&x", High),
    ("MEDICAL_RECORD_NUMBER", r#"{"mrn":"none","patient_id":"x","patient_id_type":"40718263"}"#, NONE),
    ("HEALTH_PLAN_ID", r#"{"health_plan_id":"«XQH490182736»"}"#, High),
    ("HEALTH_PLAN_ID", "Insurance member ID: «XQH490182736»", High),
    ("HEALTH_PLAN_ID", r#"{"health_plan_id":"gold","plan_id":"XQH490182736"}"#, NONE),
    ("ICD_CODE", r#"{"diagnosis":"«E11.9»"}"#, High),
    ("ICD_CODE", "icd_10=«J45.909»&x=1 icd-10: «I10»", High),
    ("ICD_CODE", r#"{"diagnosis":"flu","diagnosis_type":"E11.9","code":"E11.9","diagnosis":"E11."}"#, NONE),
];

#[rustfmt::skip]
pub const PLACES: &[Case] = &[
    ("GEO_COORDINATES", r#"{"lat":«48.137154»,"lng":«11.576124»}"#, High),
    ("GEO_COORDINATES", r#"{"coordinates":[«11.576124,48.137154»]}"#, High),
    ("GEO_COORDINATES", "location=«48.137154, 11.576124»&x=1", High),
    ("GEO_COORDINATES", r#"{"latitude":"«-48.137154»","name":"x","longitude":"«-11.576124»"}"#, High),
    ("GEO_COORDINATES", r#"{"lat":48.1,"lng":11.5,"position":0.137154}"#, NONE),
    ("GEO_COORDINATES", r#"{"lat":48.137154} {"x":48.137154,"y":11.576124} {"flat":48.137154}"#, NONE),
    ("IP_ADDRESS", "from «192.168.0.1» to «2001:db8::8a2e:370:7334»", Medium),
    ("IP_ADDRESS", "client_ip=«81.94.17.203»&x", High),
    ("IP_ADDRESS", "[«2001:db8::1»]:8080 «10.0.0.0/8»", Medium),
    ("IP_ADDRESS", "1.2.3.4.5 256.1.1.1 1.2.3 12:30:45 std::vec a::b 1.02.3.4 aa:bb:cc:dd:ee:ff", NONE),
    ("MAC_ADDRESS", "«3c:a4:f0:11:5b:9e» «3C-A4-F0-11-5B-9E» «3ca4.f011.5b9e»", Medium),
    ("MAC_ADDRESS", "device mac: «3c:a4:f0:11:5b:9e»", High),
    ("MAC_ADDRESS", "00:00:00:00:00:00 3c:a4:f0:11:5b 3c:a4:f0:11:5b:9e:77 12-34-56 3ca4-f011", NONE),
    ("URL", "see «https://acme.io/a?b=c». and «ftp://acme.io»", Low),
    ("URL", "a=1&homepage=«https://acme.io/a?b=c»&state=open", High),
    ("URL", "http://acme mailto:jane@acme.io a.b.c", NONE),
    ("DATE_TIME", "on 5 «2026-11-25» «2026-11-25T10:00:00Z» «5/20/2021» «21-May-2021»", Medium),
    ("DATE_TIME", "1.2.3 10-20 2026-13-45 12/34 v2026.11.25x", NONE),
    ("MRZ", "«P<UTOKOVAR<<JANA<<<<<<<<<<<<<<<<<<<<<<<<<<<<\nL8N4K29Q72UTO8503127F3109144<<<<<<<<<<<<<<02»", High),
    ("MRZ", r"{«P<UTOKOVAR<<JANA<<<<<<<<<<<<<<<<<<<<<<<<<<<<\nL8N4K29Q72UTO8503127F3109144<<<<<<<<<<<<<<02»}", High),
    ("MRZ", "<Mrz>«P<UTOKOVAR<<JANA<<<<<<<<<<<<<<<<<<<<<<<<<<<<\nL8N4K29Q72UTO8503127F3109144<<<<<<<<<<<<<<02»</Mrz>", High),
    ("MRZ", "«I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F3204153UTO<<<<<<<<<<<2\nERIKSSON<<ANNA<MARIA<<<<<<<<<<»", High),
    ("MRZ", "«I<UTOKOVAR<<JANA<<<<<<<<<<<<<<<<<<<<\nX9182736<7UTO7408122F3204153<<<<<<<2»", High),
    ("MRZ", "P<UTOKOVAR<<JANA<<<<<<<<<<<<<<<<<<<<<<<<<<<<\nL8N4K29Q73UTO8503127F3109144<<<<<<<<<<<<<<02", NONE),
    ("MRZ", "cout <<< x <<<<<<< HEAD", NONE),
    ("PHONE_NUMBER", "call «(415) 555-2671» or «415-555-2671»", High),
    ("PHONE_NUMBER", r#"{"phone":"«030 1234567»"}"#, High),
    ("PHONE_NUMBER", r#"{"mobile_phone":"«4155552671»"}"#, Medium),
    ("PHONE_NUMBER", "made of «(415) 555-2671» things", Medium),
    ("PHONE_NUMBER", "made of «415-555-2671» things", Low),
    ("PHONE_NUMBER", r#"{"number":4155552671,"id":"4155552671"} 2026-11-25 10 20 30 40 50 60"#, NONE),
];

#[test]
fn secrets_are_found_and_lookalikes_are_not() {
    SECRETS.iter().for_each(super::check);
}

#[test]
fn secrets_under_keys_are_found_and_lookalikes_are_not() {
    KEYED_SECRETS.iter().for_each(super::check);
}

#[test]
fn what_money_is_moved_with_is_found_and_lookalikes_are_not() {
    MONEY.iter().for_each(super::check);
}

#[test]
fn people_are_found_and_lookalikes_are_not() {
    PEOPLE.iter().for_each(super::check);
}

#[test]
fn places_and_times_are_found_and_lookalikes_are_not() {
    PLACES.iter().for_each(super::check);
}

#[test]
fn values_in_columns_are_found_by_the_names_of_these() {
    for (text, wanted) in [
        ("id,tax id,ssn\n1,2,536228726\n3,4,219098765\n", vec!["US_SSN", "US_SSN"]),
        ("id,first_name,last_name\n1,Jana,Kovar\n", vec!["PERSON", "PERSON"]),
        (
            "INSERT INTO t (id, password) VALUES (1, 'zwQQu.mUm9'), (2, 'xKq7.vTr3')",
            vec!["PASSWORD", "PASSWORD"],
        ),
        (
            "<table><thead><tr><th>id</th><th>First name</th><th>Password</th></tr></thead>\
             <tr><td>1</td><td>Jana</td><td>zwQQu.mUm9</td></tr></table>",
            vec!["PERSON", "PASSWORD"],
        ),
    ] {
        assert_eq!(entities(&find_in(&ALL, text.as_bytes())), wanted, "{text}");
    }
}
