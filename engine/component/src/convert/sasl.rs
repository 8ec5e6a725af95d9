//! Logins.

use pillarbox_engine::sasl as engine;

use super::super::wit::sasl as wit;
use super::{records, variants};

records! {
    wit, engine;
    AuthOffer { mechanisms, password_commands, cleartext }
    PasswordCredentials { authorization, user, password }
    DigestCredentials { user, challenge, digest, hmac }
    ScramStart { mechanism, user }
    ScramFinish { mechanism, user, authorization, auth_message, proof }
    TokenCredentials { authorization, token }
    Account { name, server_signature }
    ScramParameters { salt, iterations, nonce }
    LoginChoice { mechanisms, secured, attempt }
    SaltPassword { mechanism, salt, iterations }
    ClientCredentials { mechanism, authorization, user, secret, nonce }
}

variants! {
    wit, engine;
    Mechanism {
        Plain, Login, CramMd5, ScramSha1, ScramSha1Plus, ScramSha256, ScramSha256Plus,
        Oauthbearer, Xoauth2, External, Anonymous,
    }
    Credentials {
        Password(value), Digest(value), ScramStart(value), ScramFinish(value), Token(value),
        External(value), Anonymous(value), DigestStart, Preauthenticated(value),
    }
    LoginAnswer { Accepted(value), Refused(value), ScramParameters(value), DigestChallenge(value) }
    LoginAsk { Choose(value), SaltPassword(value) }
    LoginSecret { Credentials(value), SaltedPassword(value), NoLogin }
}
