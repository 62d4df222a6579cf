//! Tokens that are passed as a password, made up: what they say is as told, and their
//! signatures are nobody's.

use std::time::{SystemTime, UNIX_EPOCH};

use openssl::base64::encode_block;
use openssl::sha::sha256;
use serde_json::Value;

/// Seconds since 1970.
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_secs() as i64)
}

/// A request to AWS, signed in its URL.
#[derive(Clone, Debug)]
pub struct SignedUrl {
    /// `HOST:PORT`.
    pub endpoint: String,
    /// The parameters before those of the signature.
    pub request: String,
    /// The service in its scope.
    pub service: String,
    /// The region in its scope.
    pub region: String,
    /// When it is signed, in seconds since 1970.
    pub at: i64,
    /// For how many seconds.
    pub expires: u32,
    /// With temporary credentials.
    pub session: bool,
}

impl SignedUrl {
    /// Of `aws rds generate-db-auth-token`.
    pub fn rds(endpoint: &str, user: &str, region: &str, at: i64) -> Self {
        SignedUrl {
            endpoint: endpoint.to_owned(),
            request: format!("Action=connect&DBUser={}", encoded(user)),
            service: "rds-db".to_owned(),
            region: region.to_owned(),
            at,
            expires: 900,
            session: true,
        }
    }

    /// Of `aws dsql generate-db-connect-auth-token` and its sibling.
    pub fn dsql(endpoint: &str, action: &str, region: &str, at: i64) -> Self {
        SignedUrl {
            request: format!("Action={action}"),
            service: "dsql".to_owned(),
            ..Self::rds(endpoint, "", region, at)
        }
    }

    /// The token as the AWS CLI prints it.
    pub fn text(&self) -> String {
        let date = amz_date(self.at);
        let scope = format!(
            "AKIAQZXWVUTSRPONMLKJ/{}/{}/{}/aws4_request",
            &date[..8],
            self.region,
            self.service
        );
        let session = match self.session {
            // Base64, so that it has characters to encode.
            true => format!(
                "&X-Amz-Security-Token={}",
                encoded(&format!("{}+/{}==", noise("a", 300), noise("b", 300)))
            ),
            false => String::new(),
        };
        format!(
            "{}/?{}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={date}\
             &X-Amz-Expires={}&X-Amz-SignedHeaders=host{session}&X-Amz-Signature={}",
            self.endpoint,
            self.request,
            encoded(&scope),
            self.expires,
            self.signature()
        )
    }

    /// What proves it.
    pub fn signature(&self) -> String {
        let digest = sha256(format!("{self:?}").as_bytes());
        digest.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// A JSON Web Token with these claims, signed with RSA as it seems.
pub fn jwt(claims: &Value) -> String {
    let header = r#"{"typ":"JWT","alg":"RS256","kid":"made-up"}"#;
    let signature = noise(&claims.to_string(), 342);
    format!(
        "{}.{}.{signature}",
        base64url(header.as_bytes()),
        base64url(claims.to_string().as_bytes())
    )
}

/// In the alphabet of URLs, without padding.
pub fn base64url(bytes: &[u8]) -> String {
    let text = encode_block(bytes).replace('+', "-").replace('/', "_");
    text.trim_end_matches('=').to_owned()
}

/// So many characters of base64 that nobody knows.
pub fn noise(seed: &str, length: usize) -> String {
    let mut text = String::new();
    let mut digest = sha256(seed.as_bytes());
    while text.len() < length {
        text += &base64url(&digest);
        digest = sha256(&digest);
    }
    text.truncate(length);
    text
}

/// With everything percent-encoded but RFC 3986's unreserved characters.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(b).to_string()
            }
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// `20260101T123000Z`.
fn amz_date(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days from civil (Howard Hinnant), reversed.
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let date = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}{month:02}{date:02}T{:02}{:02}{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}
