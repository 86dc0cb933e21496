//! Passwords: argon2id with the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane).

use std::sync::{Arc, OnceLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::refused::Refused;

/// Fewer characters are guessed too easily, whichever they are (NIST SP 800-63B §3.1.1.2 asks for 8 at least, 15 without a second factor).
pub(crate) const PASSWORD_CHARS_MIN: usize = 10;
/// More would only be work.
pub(crate) const PASSWORD_CHARS_MAX: usize = 200;
/// Passwords that are worked on at once. Each takes 19 MiB and a processor.
const AT_ONCE: usize = 2;

/// Hashes and verifies passwords, a few at a time, away from the threads that serve requests.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// The hash to store of a new password, with salt and parameters.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Refused> {
        self.in_turn(move || {
            Ok(Argon2::default()
                .hash_password(password.as_bytes())?
                .to_string())
        })
        .await?
        .map_err(|error: argon2::password_hash::Error| Refused::internal(error))
    }

    /// Whether this is the password. Without a hash the same work is done and the answer is no, so that the time does not tell who
    /// has an account.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Refused> {
        self.in_turn(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or_else(|| nobodys());
            let right = PasswordHash::new(hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            });
            known && right
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(Refused::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(Refused::internal)
    }
}

/// The hash of a password that nobody knows.
fn nobodys() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let secret = crate::secret::token();
        let hash = Argon2::default().hash_password(secret.as_bytes());
        hash.map(|hash| hash.to_string()).unwrap_or_default()
    })
}

/// A password as it may be chosen.
///
/// # Errors
/// One that names the field and says what is missing.
pub(crate) fn check(password: &str, email: &str) -> Result<(), Refused> {
    let length = password.chars().take(PASSWORD_CHARS_MAX + 1).count();
    if length < PASSWORD_CHARS_MIN {
        return Err(Refused::invalid(
            "password",
            "Choose a password of at least 10 characters.",
        ));
    }
    if length > PASSWORD_CHARS_MAX {
        return Err(Refused::invalid(
            "password",
            "Choose a password of at most 200 characters.",
        ));
    }
    let mut letters = password.chars();
    let first = letters.next();
    let name = email.split('@').next().unwrap_or_default();
    if letters.all(|letter| Some(letter) == first)
        || password.eq_ignore_ascii_case(email)
        || (name.len() >= 4 && password.trim().eq_ignore_ascii_case(name))
        || COMMON
            .iter()
            .any(|common| password.eq_ignore_ascii_case(common))
    {
        return Err(Refused::invalid(
            "password",
            "This password is guessed first. Choose one that nobody else has.",
        ));
    }
    Ok(())
}

/// The most frequent ones of leaked lists that are long enough otherwise.
const COMMON: [&str; 16] = [
    "1234567890",
    "12345678910",
    "123456789a",
    "password12",
    "password123",
    "password1234",
    "qwertyuiop",
    "qwerty123456",
    "iloveyou123",
    "1q2w3e4r5t",
    "0987654321",
    "q1w2e3r4t5",
    "administrator",
    "letmein1234",
    "welcome123",
    "abcdefghij",
];

#[cfg(test)]
mod tests {
    use super::{Passwords, check};

    #[tokio::test]
    async fn a_password_is_verified_and_nobody_has_none() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            passwords
                .verify("correct horse".to_owned(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct house".to_owned(), Some(hash))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horse".to_owned(), None)
                .await
                .unwrap()
        );
    }

    #[test]
    fn weak_passwords_are_refused() {
        for weak in [
            "short",
            "aaaaaaaaaaaa",
            "Password123",
            "ann@acme.example",
            &"x".repeat(201),
        ] {
            assert!(check(weak, "ann@acme.example").is_err(), "{weak}");
        }
        assert!(check("correct horse battery", "ann@acme.example").is_ok());
    }
}
