//! The signature of a message, in the form of Standard Webhooks.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::settings::SecretRef;
use ring::hmac;

/// A secret that messages are signed with.
struct Secret(hmac::Key);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads a secret from where it is kept.
    fn read(reference: &SecretRef) -> Result<Self> {
        let wrong = |message: &str| Error::new(ErrorKind::Unauthorized, message).with("secret", reference);
        let found = match reference {
            SecretRef::Environment(name) => std::env::var(name).ok(),
            SecretRef::File(path) => std::fs::read_to_string(path).ok(),
        };
        let found = found.ok_or_else(|| wrong("the secret is not there"))?;
        Self::parse(found.trim()).ok_or_else(|| wrong("the secret is not `whsec_` and 24 to 64 random bytes in base64"))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        (24..=64).contains(&bytes.len()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn sign(&self, content: &str) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, content.as_bytes())))
    }
}

/// Returns the header `webhook-signature`: for each secret `v1,` and the HMAC-SHA256, in base64, over the id of the message,
/// the seconds of the header `webhook-timestamp` and the body, joined by full stops. With several secrets a receiver that
/// knows one of them is content. See <https://www.standardwebhooks.com>, "Signature scheme".
///
/// # Errors
/// `Unauthorized` when a secret is not where the reference says, or is none; it is not repeated.
pub fn signatures(secrets: &[SecretRef], id: &str, seconds: i64, body: &str) -> Result<String> {
    let content = format!("{id}.{seconds}.{body}");
    let signed: Vec<String> =
        secrets.iter().map(|secret| Ok(Secret::read(secret)?.sign(&content))).collect::<Result<_>>()?;
    Ok(signed.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_libraries_of_the_standard_sign_it() {
        // Made with Python's hmac and base64 from the words of the standard.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_repeated() {
        let folder = std::env::temp_dir().join(format!("pipeline-secret-{}", std::process::id()));
        for wrong in ["hunter2", "whsec_hunter2", "whsec_aHVudGVyMg==", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ""] {
            std::fs::write(&folder, wrong).unwrap();
            let error = signatures(&[SecretRef::File(folder.to_string_lossy().into_owned())], "a", 1, "").unwrap_err();
            assert!(error.kind() == ErrorKind::Unauthorized && !error.to_string().contains("hunter"), "{error}");
        }
        std::fs::remove_file(&folder).unwrap();
        let error = signatures(&[SecretRef::Environment("NO_SUCH_SECRET_93F1".to_owned())], "a", 1, "").unwrap_err();
        assert!(error.to_string().contains("env:NO_SUCH_SECRET_93F1"), "{error}");
    }
}
