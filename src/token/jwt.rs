//! JSON Web Tokens (RFC 7519): `HEADER.CLAIMS.SIGNATURE`, each in base64url.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::given::{Damage, base64};

/// A JSON Web Token.
pub struct Jwt {
    claims: Map<String, Value>,
    /// What is wrong with it.
    pub damage: Vec<Damage>,
}

/// Reads a JSON Web Token; none where the text is none. `length` is that of all that
/// was given.
pub fn read(text: &str, length: usize) -> Option<Jwt> {
    // `{"` in base64, also with a blank or a line break between them.
    if !text.starts_with("ey") && !text.starts_with("ew") {
        return None;
    }
    let mut damage = Vec::new();
    let whole: String = text.split_whitespace().collect();
    let parts: Vec<&str> = whole.split('.').collect();
    let header = base64(parts.first()?)?;
    // What is cut within its header is told by what is left of it.
    let shown = String::from_utf8_lossy(&header);
    if !["\"alg\"", "\"typ\"", "\"kid\""]
        .iter()
        .any(|name| shown.contains(name))
    {
        return None;
    }
    if whole.len() < text.len() {
        damage.push(Damage::Broken);
    }
    let header: Map<String, Value> = serde_json::from_slice(&header).unwrap_or_default();
    let encrypted = header.contains_key("enc");
    let claims = match parts.get(1) {
        Some(part) if !encrypted => {
            base64(part).and_then(|json| serde_json::from_slice(&json).ok())
        }
        _ => None,
    };
    match (parts.as_slice(), &claims) {
        (_, _) if encrypted => {}
        ([_, _, _, _, ..], _) => damage.push(Damage::Parts),
        ([_, _, _], None) => damage.push(Damage::Unreadable("its content")),
        ([_, _, ""] | [_, _], Some(_)) if header.get("alg").is_some_and(|alg| alg == "none") => {}
        ([_, _, ""] | [_, _], Some(_)) => damage.push(Damage::Cut("its signature", length)),
        ([_, _, signature], Some(_)) => damage.extend(of_signature(signature, &header, length)),
        _ => damage.push(Damage::Cut("its second half", length)),
    }
    Some(Jwt {
        claims: claims.unwrap_or_default(),
        damage,
    })
}

/// Whether a signature is whole: with RSA it has 256 bytes or more, with the others a
/// fixed number (RFC 7518, section 3).
fn of_signature(signature: &str, header: &Map<String, Value>, length: usize) -> Option<Damage> {
    let Some(bytes) = base64(signature) else {
        return Some(Damage::Tail);
    };
    let wanted = match header.get("alg")?.as_str()? {
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => 256,
        "ES256" | "EdDSA" => 64,
        "ES384" => 96,
        "ES512" => 132,
        "HS256" => 32,
        "HS384" => 48,
        "HS512" => 64,
        _ => return None,
    };
    (bytes.len() < wanted).then(|| Damage::Short {
        has: signature.len(),
        wants: (wanted * 4usize).div_ceil(3),
        length,
    })
}

impl Jwt {
    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        Some(self.claims.get(name)?.as_str()?.to_owned())
    }

    /// A claim that is a time: seconds since 1970.
    pub fn time(&self, name: &str) -> Option<OffsetDateTime> {
        let value = self.claims.get(name)?;
        let seconds = value.as_i64().or_else(|| Some(value.as_f64()? as i64))?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    }

    /// Whom it is issued for: one, or a list.
    pub fn audiences(&self) -> Vec<String> {
        let texts = |value: &Value| match value {
            Value::Array(items) => items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
            Value::String(text) => vec![text.clone()],
            _ => Vec::new(),
        };
        self.claims.get("aud").map(texts).unwrap_or_default()
    }
}
