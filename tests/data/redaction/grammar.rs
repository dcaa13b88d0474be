//! Pieces of what the redactor's rules begin with, for texts that are made to hold it up or to catch it out.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "who takes this file in needs a part of it"
)]

/// The pieces. None is a real secret.
#[rustfmt::skip]
pub const TOKENS: &[&str] = &[
    // Names.
    "password", "PASSWORD", "pwd", "PWD", "pw", "pass", "PASS", "token", "API_TOKEN", "secret", "api_key", "apiKey", "key", "auth", "credentials",
    "DB_PASSWORD_PROD2", "passphrase", "mnemonic", "otp_code", "salt", "Authorization", "authorization", "Cookie", "cookie", "set-cookie",
    "X-Api-Key", "Passwort", "contraseña", "пароль", "密码", "mot de passe", "Unseal Key 1", "private_key", "cache_key", "value", "name", "client-key-data",
    "user", "sessionid", "sid", "sig", "code", "X-Amz-Signature", "kty", "d", "k", "qi", "Private-Lines",
    // What announces several values.
    "  password\n", "- tokens:\n", "passwords = [", "apiVersion\n", "kind: Secret\n", "│ token │\n", "| password |\n", "name,password\n",
    "(name, password) VALUES (",
    // Separators and quotes.
    "=", ":", "==", ":=", "=>", "::", "://", "->", " = ", ": ", "=\"", "='", "=`", ":\"", ": '", "=\\\"", "\": \"", "\\\": \\\"", "\", \"", "', '", "||", " || \"",
    " ?? '", " or \"", "\\u003d", "%3D", "：", "\"", "'", "`", "\\", "\\\"", "\\\\", "]", "[", "(", ")", "{", "}", "<", ">", "</", ",", ";", "|", "&", "&&", "?", "@", "/", "#", "$", "%",
    "~", "!", "*", "+", "-", "--", "_", ".", "..", "→", "é", " ", "  ", "\t", "\n", "\n\n", "\r\n", "\\n", "\\t", "\\u0041", "\\x41", "%22", "\u{1b}[1m", "\u{1b}[0;32m", "<<<", " is ", " for ",
    // Marks.
    "[redacted:x]", "[redacted:named-secret]", "[redacted", "[redacted:", "redacted:x]", "[redacted]",
    // Words, numbers, secrets.
    "a", "x1", "is", "the", "null", "true", "changeme", "your-api-key", "hunter2", "swordfish", "S3cr3t!pw", "12:34", "8080", "${X}", "$TOKEN", "{{ x }}", "<token>", "process.env.", "getenv(\"",
    "define('", "a1B2c3D4e5F6g7H8", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4", "3f8a1c9e0b7d24653f8a1c9e0b7d2465", "3f8a1c9e", "5b48472b-1111-4222-8333-444455556666", "-us12", "-us1", "8Q~", "abc8Q~", "123456789:AA",
    ":APA91b", ".atlasv1.", "eyJ", "eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIx", "sk-", "sk-ant-", "ghp_", "ghp_Zy9Xw8Vu7Ts6Rq5Po4Nm3Lk2", "glpat-", "AKIA", "AKIAZZZZ5555ZZZZ5555", "xoxb-", "SG.",
    "MTEyMzQ1Njc4OTAxMjM0NTY3.Gh1jK2.", "pat", "re_", "pk_", "AAAA", "cio", "oy2", "v1.0-", "hvs.", "1//0", "1/12345678901:", "whsec_", "dG9rO", "NRAL", "AZDO", "oauth:", "00D",
    "https://hooks.slack.com/services/T0000/B0000/", "hooks.slack.com/services/", "_gitlab_session=",
    // Keys in armour.
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----END RSA PRIVATE KEY-----", "-----END", "-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "MIIEpAIBAAKCAQEAy8Dbv8prpJ/0kKhlGeJYozo2t60EG8L0561g13R29LvMR5hy",
    "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpN", "b3BlbnNzaC1rZXktdjE", "Proc-Type: 4,ENCRYPTED", "vGZlU0lSupprHMg7v3XMoiGDEz6E/gYYRWZlDR2NaMzgU0lSuPPrHMg7v3XMoiGD\n",
    // URLs.
    "https://", "postgres://", "redis://:", "bob:", "u:p@h", "@host", "?key=", "&sig=", "?token=", "?code=", "&amp;",
    // Commands.
    "curl ", "curl -u ", "curl -sSu", " -u ", " -b ", " --cookie ", " --user ", " -p", " -p ", " -P ", " -a ", " -w ", "mysql ", "docker login ", "redis-cli ", "openssl ", " -passin pass:", "sshpass -p ",
    "smbclient -U ", "htpasswd -b ", "vault login ", "git config ", "npm config set ", "aws configure set ", "kubectl create secret generic x --from-literal=", "echo ", "printf '%s' ", " | sudo -S", " | chpasswd",
    " | docker login --password-stdin", "sudo -S ", "--password ", "--password=", "--token ", "--secret-string ", "-storepass ", "az login ", "login ", "Bearer ", "bearer ", "Basic ", "Basic dXNlcjpwYXNzdw==",
    "machine a.org login bob password ", "machine ", "identified by '", "IDENTIFIED BY '", "IDENTIFIED WITH x BY ", "WITH PASSWORD '", "Private-Lines: 2\n",
    // Tables.
    "user,password\n", "id;token\n", "a\tpassword\n", "| user | password |\n", "|---|---|\n", "bob,", "| bob | ", "name: ", "value: ", "\"value\":", "name: DB_PASSWORD\n",
    // JSON.
    "{\"", "\"}", "\":", "{\"kty\":\"EC\",\"d\":\"", "{", "[\"--password\", \"", "\",\"",
    // Hashes, wallets, networks, keys of several parts, names in other writings.
    "$6$", "$6$a1B2c3D4$", "$2b$12$", "$argon2id$v=19$", "$9$", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6", "{SSHA}", "$ANSIBLE_VAULT;1.1;AES256\n", "WIFI:T:WPA;S:x;P:", ";;", "accounts: [",
    "ethers.Wallet(", "(0) 0x", "0x3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d2465", "[217,", "21,", "kty: ", " d: '", "token-abcde:", "K10", "::server:", "Atzr|", "access_token$production$", "bot123456789:AA",
    "0.5b48472b-1111-4222-8333-444455556666.", "live_", "secret-", "密钥", "ключ API", "APIキー", "API-Schlüssel", "clé API", "dbpass", "arn:aws:", "nextPageToken", "openaiKey", "otp_seed", "^9.0.2", "EXAMPLE", "-----BEGIN OpenVPN Static key V1-----",
];
