//! Texts that hold a secret.

/// Characters of a key, the same each time.
pub(crate) fn fill(alphabet: &str, length: usize, seed: usize) -> String {
    let characters: Vec<char> = alphabet.chars().collect();
    let pick = |at: usize| characters[(at * 7 + at / 3 + seed * 11) % characters.len()];
    (0..length).map(pick).collect()
}

/// Texts with a secret in them, and the secret. No secret is written in the sources as a whole, so that a scan of the sources
/// finds none.
pub(crate) fn canaries() -> Vec<(String, String)> {
    let hex = "0123456789abcdef";
    let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let prefixed = [
        ("AKIA", upper, 16),
        ("ASIA", upper, 16),
        ("AIza", alnum, 35),
        ("ya29.", alnum, 60),
        ("GOCSPX-", alnum, 28),
        ("dop_v1_", hex, 64),
        ("dapi", hex, 32),
        ("ghp_", alnum, 36),
        ("gho_", alnum, 36),
        ("ghs_", alnum, 36),
        ("github_pat_", alnum, 82),
        ("glpat-", alnum, 20),
        ("gldt-", alnum, 20),
        ("ATATT3xFfGF0", alnum, 180),
        ("ATBB", alnum, 32),
        ("xoxb-123456789012-123456789012-", alnum, 24),
        ("xoxp-123456789012-", alnum, 40),
        ("xapp-1-A123-456-", hex, 64),
        ("sk-ant-api03-", alnum, 95),
        ("sk-", alnum, 48),
        ("sk-proj-", alnum, 74),
        ("sk-svcacct-", alnum, 74),
        ("sk-or-v1-", hex, 64),
        ("hf_", alnum, 34),
        ("r8_", alnum, 37),
        ("gsk_", alnum, 52),
        ("xai-", alnum, 80),
        ("pplx-", alnum, 48),
        ("sk_live_", alnum, 24),
        ("rk_test_", alnum, 24),
        ("whsec_", alnum, 32),
        ("npm_", alnum, 36),
        ("pypi-AgEIcHlwaS5vcmc", alnum, 60),
        ("cio", alnum, 32),
        ("rubygems_", hex, 48),
        ("dckr_pat_", alnum, 27),
        ("SG.", alnum, 66),
        ("SK", hex, 32),
        ("key-", hex, 32),
        ("lin_api_", alnum, 40),
        ("ntn_", alnum, 46),
        ("secret_", alnum, 43),
        ("sntryu_", hex, 64),
        ("hvs.", alnum, 90),
        ("shpat_", hex, 32),
        ("glsa_", alnum, 41),
        ("dp.pt.", alnum, 43),
    ];
    let mut canaries: Vec<(String, String)> = prefixed
        .into_iter()
        .enumerate()
        .map(|(seed, (prefix, alphabet, length))| {
            let body = fill(alphabet, length, seed);
            (format!("{prefix}{body}"), body)
        })
        .collect();
    let around = [
        ("https://hooks.slack.com/services/", ""),
        ("MTEyMzQ1Njc4OTAxMjM0NTY3.Gh1jK2.", ""),
        ("123456789:AA", ""),
        ("abc8Q~", ""),
        ("a1B2c3D4e5F6g7.atlasv1.", ""),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.", ""),
        (
            "-----BEGIN RSA PRIVATE KEY-----\n",
            "\n-----END RSA PRIVATE KEY-----",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\\n", ""),
        ("Authorization: Bearer ", ""),
        ("curl -H 'Authorization: Basic ", "'"),
        ("postgres://bob:", "@db.example.com/shop"),
        ("PASSWORD=", ""),
        ("export FOO_TOKEN='", "'"),
        ("mysql --password ", " shop"),
        ("{\"client_secret\": \"", "\"}"),
        ("aws_secret_access_key = ", ""),
        ("DB_PASSWORD_PROD2=", ""),
        ("Cookie: theme=dark; sid=", "; lang=en"),
        ("git clone https://", "@git.example.com/shop.git"),
        ("https://files.example.com/a?se=2026&sig=", "&sv=1"),
        ("curl -u bob:", " https://example.com"),
        ("sshpass -p ", " ssh bob@host"),
        ("machine example.com login bob password ", ""),
        ("CREATE USER bob IDENTIFIED BY '", "'"),
        ("- name: DB_PASSWORD\n  value: ", ""),
        ("Private-Lines: 1\n", "\nPrivate-MAC: 0a1b"),
        (
            "AccountName=x;AccountKey=",
            "==;EndpointSuffix=core.windows.net",
        ),
    ];
    for (seed, (before, after)) in around.into_iter().enumerate() {
        let body = fill(alnum, 43, seed + 100);
        canaries.push((format!("{before}{body}{after}"), body));
    }
    canaries
}
