//! Lists the shapes of keys. Providers give their keys fixed beginnings, so that scanners can find
//! them.
//!
//! Scanners' rules and the providers' documents agree on the facts: beginning, alphabet, least
//! length. For a distinctive beginning, the least length here is lower, because half a key is half
//! a secret. `docs/redaction.md` lists the providers, and a test compares the page with the table.
//! `keys` finds the keys in a text.

use super::beginnings;
use super::prefilter;

/// The characters that a key may have after its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Alphabet {
    /// Lower and upper case hexadecimal.
    Hex = 1,
    /// Capital letters and digits.
    Upper = 1 << 1,
    /// Letters and digits.
    Alnum = 1 << 2,
    /// Letters, digits, `_` and `-`: base64 for URLs.
    Word = 1 << 3,
    /// Letters, digits, `+`, `/` and `=`.
    Base64 = 1 << 4,
    /// All characters of the alphabets above, `.` and `~`: a key of several parts.
    Parts = 1 << 5,
    /// Hexadecimal digits and `-`, as in a UUID.
    Uuid = 1 << 6,
}

/// For each byte, the alphabets that contain it, as one bit each.
static ALPHABETS: [u8; 256] = alphabets();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn alphabets() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let alnum = byte.is_ascii_alphanumeric();
        let joint = matches!(byte, b'_' | b'-');
        let sign = matches!(byte, b'+' | b'/' | b'=');
        let mut bits = 0;
        if byte.is_ascii_hexdigit() {
            bits |= Hex as u8 | Uuid as u8;
        }
        if byte.is_ascii_uppercase() || byte.is_ascii_digit() {
            bits |= Upper as u8;
        }
        if alnum {
            bits |= Alnum as u8;
        }
        if alnum || joint {
            bits |= Word as u8;
        }
        if alnum || sign {
            bits |= Base64 as u8;
        }
        if alnum || joint || sign || matches!(byte, b'.' | b'~') {
            bits |= Parts as u8;
        }
        if byte == b'-' {
            bits |= Uuid as u8;
        }
        table[at] = bits;
        at += 1;
    }
    table
}

impl Alphabet {
    pub(super) fn has(self, byte: u8) -> bool {
        let bits = ALPHABETS.get(usize::from(byte)).copied();
        bits.unwrap_or_default() & self as u8 != 0
    }

    /// Returns whether all of `bytes` are in the alphabet. Mostly they are, so it does not pay to
    /// stop early.
    pub(super) fn has_all(self, bytes: &[u8]) -> bool {
        let bits = bytes.iter().fold(self as u8, |all, byte| {
            all & ALPHABETS
                .get(usize::from(*byte))
                .copied()
                .unwrap_or_default()
        });
        bits != 0
    }
}

use Alphabet::{Alnum, Base64, Hex, Parts, Upper, Uuid, Word};

/// A shape of keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct SecretShape {
    pub(super) rule: &'static str,
    pub(super) prefix: &'static str,
    pub(super) alphabet: Alphabet,
    /// The least number of characters after the prefix.
    pub(super) least: usize,
    /// True if there are always exactly `least` characters. Otherwise a prefix of three letters
    /// would match in every large file in base64.
    pub(super) exact: bool,
    /// True if the prefix also counts within a word. Only for a prefix that occurs in no word and
    /// no hash.
    pub(super) anywhere: bool,
    /// True if only the text after the prefix is redacted.
    pub(super) keeps_prefix: bool,
    /// True if the prefix does not count after `+` or `/`, because it occurs in every large file in
    /// base64.
    pub(super) alone: bool,
}

/// How many characters after a prefix decide if a key may begin there.
pub(super) const LOOKED_AT: usize = 10;

impl SecretShape {
    const fn anywhere(self) -> Self {
        Self {
            anywhere: true,
            ..self
        }
    }

    const fn exactly(self) -> Self {
        Self {
            exact: true,
            ..self
        }
    }

    const fn alone(self) -> Self {
        Self {
            alone: true,
            ..self
        }
    }

    const fn keeps_prefix(self) -> Self {
        Self {
            keeps_prefix: true,
            ..self
        }
    }

    /// Returns whether `text` may begin with a key of this shape, judged by its prefix and the
    /// first characters after it.
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        let body = text.strip_prefix(self.prefix.as_bytes());
        let body = body.and_then(|body| body.get(..self.least.min(LOOKED_AT)));
        body.is_some_and(|body| self.alphabet.has_all(body))
    }
}

const fn shape(
    rule: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    least: usize,
) -> SecretShape {
    SecretShape {
        rule,
        prefix,
        alphabet,
        least,
        exact: false,
        anywhere: false,
        keeps_prefix: false,
        alone: false,
    }
}

#[rustfmt::skip]
const SHAPES: &[SecretShape] = &[
    // Clouds and hosting.
    shape("aws", "AKIA", Upper, 16),
    shape("aws", "ASIA", Upper, 16),
    shape("aws", "ABIA", Upper, 16),
    shape("aws", "ACCA", Upper, 16),
    shape("aws", "ABSK", Base64, 60).alone(),
    shape("aws", "bedrock-api-key-", Base64, 30).anywhere(),
    shape("aws", "IQoJb3JpZ2lu", Base64, 80).alone(),
    shape("google", "AIza", Word, 30),
    shape("google", "ya29.", Word, 20),
    shape("google", "GOCSPX-", Word, 20),
    shape("google", "1//0", Word, 30),
    shape("google", "AQ.Ab8", Word, 40),
    shape("alibaba", "LTAI", Alnum, 16),
    shape("tencent", "AKID", Alnum, 32),
    shape("yandex", "AQVN", Word, 34),
    shape("yandex", "YCAJE", Word, 20),
    shape("yandex", "y0_", Word, 50),
    shape("digitalocean", "dop_v1_", Hex, 30).anywhere(),
    shape("digitalocean", "doo_v1_", Hex, 30).anywhere(),
    shape("digitalocean", "dor_v1_", Hex, 30).anywhere(),
    shape("aiven", "AVNS_", Word, 15),
    shape("cloudflare", "v1.0-", Parts, 100),
    shape("cloudflare", "cfut_", Word, 36),
    shape("cloudflare", "cfat_", Word, 36),
    shape("cloudflare", "cfk_", Word, 36),
    shape("heroku", "HRKU-", Word, 30),
    shape("fly", "fo1_", Word, 40),
    shape("fly", "fm1a_", Base64, 60),
    shape("fly", "fm1r_", Base64, 60),
    shape("fly", "fm2_", Base64, 60),
    shape("netlify", "nfp_", Alnum, 30),
    shape("netlify", "nfc_", Alnum, 30),
    shape("netlify", "nfo_", Alnum, 30),
    shape("netlify", "nfu_", Alnum, 30),
    shape("render", "rnd_", Alnum, 28),
    shape("railway", "rw_Fe26.", Parts, 60),
    shape("vercel", "vcp_", Alnum, 24),
    shape("vercel", "vci_", Alnum, 24),
    shape("vercel", "vca_", Alnum, 24),
    shape("vercel", "vcr_", Alnum, 24),
    shape("vercel", "vck_", Alnum, 24),
    shape("vercel", "vercel_blob_rw_", Word, 30),
    shape("supabase", "sbp_", Hex, 30),
    shape("supabase", "sb_secret_", Word, 20),
    shape("neon", "napi_", Alnum, 40),
    shape("planetscale", "pscale_tkn_", Parts, 32),
    shape("planetscale", "pscale_pw_", Parts, 32),
    shape("planetscale", "pscale_oauth_", Parts, 32),
    shape("mongodb", "mdb_sa_sk_", Word, 30),
    shape("cockroachdb", "CCDB1_", Word, 40),
    shape("confluent", "cflt", Base64, 60).exactly(),
    shape("elastic", "essu_", Parts, 40),
    shape("databricks", "dapi", Hex, 32),
    shape("databricks", "dose", Hex, 32),
    shape("dbt", "dbtc_", Word, 30),
    shape("dbt", "dbtu_", Word, 30),
    shape("scalingo", "tk-us-", Word, 40),
    shape("ibm", "ibmcloud_api_", Word, 30),
    // Version control and continuous integration.
    shape("github", "ghp_", Alnum, 20).anywhere(),
    shape("github", "gho_", Alnum, 20).anywhere(),
    shape("github", "ghu_", Alnum, 20).anywhere(),
    shape("github", "ghs_", Alnum, 20).anywhere(),
    shape("github", "ghr_", Alnum, 20).anywhere(),
    shape("github", "github_pat_", Word, 20).anywhere(),
    shape("gitlab", "glpat-", Parts, 16).anywhere(),
    shape("gitlab", "gldt-", Word, 16).anywhere(),
    shape("gitlab", "glptt-", Hex, 30).anywhere(),
    shape("gitlab", "glrt-", Parts, 16).anywhere(),
    shape("gitlab", "glrtr-", Parts, 16).anywhere(),
    shape("gitlab", "glcbt-", Word, 20).anywhere(),
    shape("gitlab", "glffct-", Word, 16).anywhere(),
    shape("gitlab", "glft-", Word, 16).anywhere(),
    shape("gitlab", "glimt-", Word, 16).anywhere(),
    shape("gitlab", "glwt-", Word, 16).anywhere(),
    shape("gitlab", "glagent-", Word, 40).anywhere(),
    shape("gitlab", "gloas-", Word, 40).anywhere(),
    shape("gitlab", "glsoat-", Word, 16).anywhere(),
    shape("gitlab", "GR1348941", Word, 16),
    shape("gitlab", "_gitlab_session=", Hex, 30).keeps_prefix(),
    shape("atlassian", "ATATT3", Parts, 60),
    shape("atlassian", "ATCTT3", Parts, 60),
    shape("atlassian", "ATBB", Alnum, 28),
    shape("trello", "ATTA", Hex, 60),
    shape("sourcegraph", "sgp_", Word, 36),
    shape("sourcegraph", "sgd_", Word, 36),
    shape("circleci", "CCIPAT_", Word, 40),
    shape("circleci", "CCIPRJ_", Word, 40),
    shape("buildkite", "bkua_", Hex, 36),
    shape("buildkite", "bkpt_", Hex, 36),
    shape("jetbrains", "perm-", Parts, 50),
    shape("octopus", "API-", Upper, 24).exactly(),
    shape("octopus", "API-", Upper, 25).exactly(),
    shape("octopus", "API-", Upper, 26).exactly(),
    shape("openvsx", "ovsxp_", Word, 30),
    shape("gitea", "gta_", Hex, 40),
    shape("snyk", "snyk_uat.", Parts, 40),
    shape("snyk", "snyk_sat.", Parts, 40),
    shape("sonar", "sqp_", Hex, 36),
    shape("sonar", "squ_", Hex, 36),
    shape("sonar", "sqa_", Hex, 36),
    shape("infracost", "ico-", Alnum, 32),
    shape("spacelift", "spc_", Word, 40),
    // Chat.
    shape("slack", "xoxa-", Word, 10),
    shape("slack", "xoxb-", Word, 10),
    shape("slack", "xoxc-", Word, 10),
    shape("slack", "xoxd-", Parts, 20),
    shape("slack", "xoxe-", Word, 10),
    shape("slack", "xoxe.xox", Parts, 10),
    shape("slack", "xoxo-", Word, 10),
    shape("slack", "xoxp-", Word, 10),
    shape("slack", "xoxr-", Word, 10),
    shape("slack", "xoxs-", Word, 10),
    shape("slack", "xapp-", Word, 10),
    shape("slack", "xwfp-", Word, 20),
    shape("slack", "hooks.slack.com/services/", Base64, 30).anywhere().keeps_prefix(),
    shape("slack", "hooks.slack.com/workflows/", Base64, 30).anywhere().keeps_prefix(),
    shape("slack", "hooks.slack.com/triggers/", Base64, 30).anywhere().keeps_prefix(),
    shape("discord", "discord.com/api/webhooks/", Parts, 60).anywhere().keeps_prefix(),
    shape("discord", "discordapp.com/api/webhooks/", Parts, 60).anywhere().keeps_prefix(),
    shape("discord", "mfa.", Word, 60),
    shape("zapier", "hooks.zapier.com/hooks/catch/", Parts, 12).anywhere().keeps_prefix(),
    // Providers of models.
    shape("anthropic", "sk-ant-", Word, 16).anywhere(),
    shape("openrouter", "sk-or-v1-", Hex, 30).anywhere(),
    shape("langfuse", "sk-lf-", Word, 30),
    shape("helicone", "sk-helicone-", Word, 20),
    shape("openai", "sk-proj-", Word, 16).anywhere(),
    shape("openai", "sk-svcacct-", Word, 16).anywhere(),
    shape("openai", "sk-admin-", Word, 16).anywhere(),
    shape("openai", "sk-None-", Word, 16).anywhere(),
    shape("openai", "sess-", Alnum, 36),
    shape("openai", "sk-", Alnum, 20),
    shape("huggingface", "hf_", Alnum, 28),
    shape("huggingface", "api_org_", Alnum, 28),
    shape("replicate", "r8_", Alnum, 28),
    shape("groq", "gsk_", Alnum, 28),
    shape("xai", "xai-", Alnum, 40),
    shape("perplexity", "pplx-", Alnum, 30),
    shape("together", "tgp_v1_", Word, 30),
    shape("cerebras", "csk-", Alnum, 30),
    shape("nvidia", "nvapi-", Word, 40),
    shape("tavily", "tvly-", Word, 24),
    shape("firecrawl", "fc-", Hex, 32),
    shape("fireworks", "fw_", Alnum, 20),
    shape("jina", "jina_", Word, 40),
    shape("voyage", "pa-", Word, 40),
    shape("llamacloud", "llx-", Word, 36),
    shape("pinecone", "pcsk_", Word, 30),
    shape("langsmith", "lsv2_pt_", Word, 30),
    shape("langsmith", "lsv2_sk_", Word, 30),
    shape("elevenlabs", "sk_", Hex, 40),
    shape("runpod", "rpa_", Alnum, 36),
    shape("wandb", "wandb_v1_", Word, 40),
    shape("anyscale", "esecret_", Alnum, 20),
    shape("friendli", "flp_", Alnum, 28),
    shape("cursor", "key_", Hex, 48),
    shape("context7", "ctx7sk-", Uuid, 30),
    shape("apify", "apify_api_", Alnum, 28),
    shape("e2b", "e2b_", Hex, 36),
    shape("browserbase", "bb_live_", Word, 20),
    // Payment.
    shape("stripe", "sk_live_", Alnum, 10),
    shape("stripe", "sk_test_", Alnum, 10),
    shape("stripe", "sk_prod_", Alnum, 10),
    shape("stripe", "rk_live_", Alnum, 10),
    shape("stripe", "rk_test_", Alnum, 10),
    shape("stripe", "rk_prod_", Alnum, 10),
    shape("stripe", "whsec_", Base64, 16),
    shape("square", "sq0atp-", Word, 20),
    shape("square", "sq0csp-", Word, 40),
    shape("square", "EAAA", Word, 60).exactly().alone(),
    shape("razorpay", "rzp_live_", Alnum, 14),
    shape("razorpay", "rzp_test_", Alnum, 14),
    shape("flutterwave", "FLWSECK", Word, 16),
    shape("plaid", "access-production-", Uuid, 30),
    shape("plaid", "access-development-", Uuid, 30),
    shape("plaid", "access-sandbox-", Uuid, 30),
    shape("paypal", "access_token$production$", Alnum, 20).anywhere(),
    shape("paypal", "A21AA", Word, 80),
    shape("woocommerce", "ck_", Hex, 40),
    shape("woocommerce", "cs_", Hex, 40),
    shape("polar", "polar_oat_", Word, 30),
    shape("polar", "polar_pat_", Word, 30),
    shape("duffel", "duffel_live_", Word, 36),
    shape("duffel", "duffel_test_", Word, 36),
    // Package registries.
    shape("npm", "npm_", Alnum, 28),
    shape("pypi", "pypi-AgE", Word, 30).anywhere(),
    shape("crates", "cio", Alnum, 32).exactly(),
    shape("rubygems", "rubygems_", Hex, 30),
    shape("docker", "dckr_pat_", Word, 20).anywhere(),
    shape("docker", "dckr_oat_", Word, 20).anywhere(),
    shape("clojars", "CLOJARS_", Alnum, 40),
    shape("nuget", "oy2", Alnum, 43).exactly(),
    shape("artifactory", "AKCp", Alnum, 60),
    shape("artifactory", "cmVmdGtu", Alnum, 40),
    shape("packagist", "packagist_", Word, 30),
    shape("jsr", "jsrp_", Alnum, 30),
    // Mail and telephony.
    shape("sendgrid", "SG.", Parts, 40),
    shape("brevo", "xkeysib-", Word, 40),
    shape("brevo", "xsmtpsib-", Word, 40),
    shape("mailgun", "key-", Hex, 32),
    shape("mailgun", "pubkey-", Hex, 32),
    shape("twilio", "SK", Hex, 32),
    shape("onesignal", "os_v2_app_", Alnum, 40),
    shape("onesignal", "os_v2_org_", Alnum, 40),
    shape("pubnub", "sec-c-", Uuid, 30),
    shape("pubnub", "sec-c-", Base64, 40),
    shape("telnyx", "KEY01", Word, 40),
    // Everything else.
    shape("1password", "ops_eyJ", Base64, 60),
    shape("age", "AGE-SECRET-KEY-1", Upper, 40).anywhere(),
    shape("adafruit", "aio_", Alnum, 28),
    shape("contentful", "CFPAT-", Word, 40),
    shape("doppler", "dp.pt.", Alnum, 30),
    shape("doppler", "dp.st.", Parts, 30),
    shape("doppler", "dp.ct.", Alnum, 30),
    shape("doppler", "dp.sa.", Alnum, 30),
    shape("doppler", "dp.scim.", Alnum, 30),
    shape("doppler", "dp.audit.", Alnum, 30),
    shape("dropbox", "sl.", Word, 100),
    shape("dropbox", "sl.u.", Word, 100),
    shape("dynatrace", "dt0c01.", Parts, 60),
    shape("dynatrace", "dt0s16.", Parts, 60),
    shape("easypost", "EZAK", Alnum, 50),
    shape("easypost", "EZTK", Alnum, 50),
    shape("facebook", "EAA", Alnum, 90).alone(),
    shape("instagram", "IGQV", Word, 80).alone(),
    shape("instagram", "IGQW", Word, 80).alone(),
    shape("figma", "figd_", Word, 36),
    shape("figma", "figo_", Word, 36),
    shape("frameio", "fio-u-", Word, 56),
    shape("grafana", "glsa_", Word, 30),
    shape("grafana", "glc_", Base64, 32),
    shape("grafana", "eyJrIjoi", Base64, 60),
    shape("posthog", "phx_", Word, 36),
    shape("posthog", "phs_", Word, 36),
    shape("posthog", "phr_", Word, 36),
    shape("posthog", "pha_", Word, 36),
    shape("honeycomb", "hcaik_", Alnum, 50),
    shape("honeycomb", "hcbik_", Alnum, 50),
    shape("honeycomb", "hcamk_", Alnum, 30),
    shape("hubspot", "pat-na1-", Uuid, 30),
    shape("hubspot", "pat-na2-", Uuid, 30),
    shape("hubspot", "pat-eu1-", Uuid, 30),
    shape("intercom", "dG9rO", Base64, 50).alone(),
    shape("launchdarkly", "sdk-", Uuid, 36),
    shape("launchdarkly", "api-", Uuid, 36),
    shape("launchdarkly", "mob-", Uuid, 36),
    shape("linear", "lin_api_", Alnum, 28),
    shape("linear", "lin_oauth_", Alnum, 28),
    shape("lichess", "lip_", Alnum, 20),
    shape("mapbox", "sk.eyJ", Parts, 60),
    shape("newrelic", "NRAK-", Upper, 24),
    shape("newrelic", "NRII-", Word, 30),
    shape("newrelic", "NRIQ-", Word, 30),
    shape("notion", "ntn_", Alnum, 30),
    shape("notion", "secret_", Alnum, 40),
    shape("datadog", "ddapp_", Alnum, 30),
    shape("datadog", "ddpat_", Word, 30),
    shape("nylas", "nyk_v0_", Alnum, 40),
    shape("openshift", "sha256~", Word, 40),
    shape("ory", "ory_pat_", Word, 28),
    shape("ory", "ory_at_", Parts, 40),
    shape("ory", "ory_rt_", Parts, 40),
    shape("postman", "PMAK-", Word, 40),
    shape("postman", "PMAT-", Word, 20),
    shape("prefect", "pnu_", Alnum, 30),
    shape("prefect", "pnb_", Alnum, 30),
    shape("pulumi", "pul-", Hex, 36),
    shape("readme", "rdme_", Alnum, 60),
    shape("sentry", "sntrys_", Parts, 30),
    shape("sentry", "sntryu_", Hex, 30),
    shape("settlemint", "sm_aat_", Alnum, 16),
    shape("settlemint", "sm_pat_", Alnum, 16),
    shape("settlemint", "sm_sat_", Alnum, 16),
    shape("shippo", "shippo_live_", Hex, 36),
    shape("shippo", "shippo_test_", Hex, 36),
    shape("shopify", "shpat_", Hex, 28),
    shape("shopify", "shpca_", Hex, 28),
    shape("shopify", "shppa_", Hex, 28),
    shape("shopify", "shpss_", Hex, 28),
    shape("stytch", "secret-live-", Word, 30),
    shape("stytch", "secret-test-", Word, 30),
    shape("tailscale", "tskey-", Word, 20),
    shape("triggerdev", "tr_dev_", Alnum, 18),
    shape("triggerdev", "tr_prod_", Alnum, 18),
    shape("typeform", "tfp_", Word, 40),
    shape("unkey", "unkey_", Alnum, 20),
    shape("vault", "hvs.", Word, 20),
    shape("vault", "hvb.", Word, 40),
    shape("vault", "hvr.", Word, 20),
    shape("zuplo", "zpka_", Word, 36),
    shape("inngest", "signkey-prod-", Hex, 30),
    shape("inngest", "signkey-test-", Hex, 30),
    shape("bip32", "xprv", Alnum, 100),
];

/// The rules for keys that a prefix does not identify. Only the test of the documentation uses
/// them.
#[cfg(test)]
pub(super) const BY_PARTS: &[&str] = &[
    "1password",
    "airtable",
    "asana",
    "authorization",
    "azure",
    "boundary",
    "clickup",
    "deepl",
    "discord",
    "firebase",
    "jwt",
    "mailchimp",
    "mailgun",
    "maxmind",
    "newrelic",
    "rapidapi",
    "resend",
    "salesforce",
    "telegram",
    "terraform",
    "twitch",
    "twitter",
];

/// The length of the shortest key.
pub(super) const SHORTEST: usize = shortest();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn shortest() -> usize {
    let (mut at, mut shortest) = (0, usize::MAX);
    while at < SHAPES.len() {
        let length = SHAPES[at].prefix.len() + SHAPES[at].least;
        if length < shortest {
            shortest = length;
        }
        at += 1;
    }
    shortest
}

/// Returns the prefix of the shape with index `at`, and whether the prefix also counts within a
/// word. For the filter.
pub(super) const fn prefix(at: usize) -> Option<(&'static [u8], bool)> {
    if at >= SHAPES.len() {
        return None;
    }
    #[allow(clippy::indexing_slicing, reason = "the index is checked above")]
    let shape = SHAPES[at];
    Some((shape.prefix.as_bytes(), shape.anywhere))
}

/// The shapes in buckets. Shapes whose prefixes begin alike share a bucket.
struct ShapeBuckets {
    /// The shapes, by their index in [`SHAPES`].
    shapes: [u16; SHAPES.len()],
    /// The first eight bytes of each prefix. A shorter prefix is filled up with zeros.
    heads: [u64; SHAPES.len()],
    /// The index at which each bucket begins.
    starts: [u16; HEADS + 1],
}

const HEADS: usize = 1 << 10;

/// Returns the bucket of a shape, by the first two bytes of its prefix.
const fn head(first: u8, second: u8) -> usize {
    (first as usize & 31) << 5 | second as usize & 31
}

static SHAPE_BUCKETS: ShapeBuckets = shape_buckets();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn shape_buckets() -> ShapeBuckets {
    let mut buckets = ShapeBuckets {
        shapes: [0; SHAPES.len()],
        heads: [0; SHAPES.len()],
        starts: [0; HEADS + 1],
    };
    // `starts` first has the size of each bucket, then its end, then its beginning.
    let mut at = 0;
    while at < SHAPES.len() {
        let prefix = SHAPES[at].prefix.as_bytes();
        buckets.starts[head(prefix[0], prefix[1])] += 1;
        at += 1;
    }
    let mut bucket = 0;
    let mut placed = 0;
    while bucket <= HEADS {
        placed += buckets.starts[bucket];
        buckets.starts[bucket] = placed;
        bucket += 1;
    }
    while at > 0 {
        at -= 1;
        let prefix = SHAPES[at].prefix.as_bytes();
        let bucket = head(prefix[0], prefix[1]);
        buckets.starts[bucket] -= 1;
        let place = buckets.starts[bucket] as usize;
        buckets.shapes[place] = at as u16;
        let mut byte = 0;
        while byte < prefix.len() && byte < 8 {
            buckets.heads[place] |= (prefix[byte] as u64) << (8 * byte);
            byte += 1;
        }
    }
    buckets
}

/// Returns the shapes whose prefix has the same first eight bytes as `text`. Of a shorter prefix,
/// all bytes must be the same.
pub(super) fn shapes_of(text: &[u8]) -> impl Iterator<Item = &'static SecretShape> {
    let eight = text.first_chunk().copied().unwrap_or_else(|| {
        let mut padded = [0; 8];
        for (place, byte) in padded.iter_mut().zip(text) {
            *place = *byte;
        }
        padded
    });
    let bucket = head(eight[0], eight[1]);
    let eight = u64::from_le_bytes(eight);
    let start = |bucket: usize| SHAPE_BUCKETS.starts.get(bucket).copied().map(usize::from);
    let (start, end) = (start(bucket), start(bucket + 1));
    (start.unwrap_or_default()..end.unwrap_or_default()).filter_map(move |at| {
        let head = *SHAPE_BUCKETS.heads.get(at)?;
        // Of a short prefix, only the bytes that it has are compared.
        let compared = u64::MAX >> (head.leading_zeros() & 0b11_1000);
        (eight & compared == head).then_some(())?;
        SHAPES.get(usize::from(*SHAPE_BUCKETS.shapes.get(at)?))
    })
}

/// Returns whether `text` may begin with a key, for the filter.
pub(super) fn begins(text: &[u8]) -> bool {
    shapes_of(text).any(|shape| shape.begins(text))
}

/// Returns where a prefix's window begins: the four bytes by which the filter finds the prefix. A
/// short prefix, or one with a sign after few letters, has no window. The filter finds it by the
/// sign before it.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn window(prefix: &[u8], anywhere: bool) -> Option<usize> {
    let mut letters = 0;
    while letters < prefix.len() && prefix[letters].is_ascii_alphanumeric() {
        letters += 1;
    }
    match anywhere || letters >= 3 && prefix.len() >= 4 {
        true => Some(beginnings::rarest(prefix, false)),
        false => None,
    }
}

/// The number of shapes whose prefix has a window.
const WINDOWED: usize = windowed();

const fn windowed() -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some((prefix, anywhere)) = prefix(at) {
        count += window(prefix, anywhere).is_some() as usize;
        at += 1;
    }
    count
}

/// The windows of the prefixes in buckets, with the shape of each, and the end of the window in the
/// prefix.
struct Windows {
    fours: [u32; WINDOWED],
    shapes: [u16; WINDOWED],
    ends: [u8; WINDOWED],
    /// The index at which each bucket begins.
    starts: [u16; WINDOW_BUCKETS + 1],
}

static WINDOWS: Windows = windows();

const WINDOW_BUCKETS: usize = 1 << 8;

/// Returns the four bytes of `prefix` from `start` on.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn four_at(prefix: &[u8], start: usize) -> u32 {
    u32::from_le_bytes([
        prefix[start],
        prefix[start + 1],
        prefix[start + 2],
        prefix[start + 3],
    ])
}

/// Returns the bucket of a window: a hash of its bytes.
const fn window_bucket(four: u32) -> usize {
    (four.wrapping_mul(beginnings::MULTIPLIER) >> 24) as usize
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn windows() -> Windows {
    let mut windows = Windows {
        fours: [0; WINDOWED],
        shapes: [0; WINDOWED],
        ends: [0; WINDOWED],
        starts: [0; WINDOW_BUCKETS + 1],
    };
    // `starts` first has the size of each bucket, then its end, then its beginning.
    let mut at = 0;
    while let Some((prefix, anywhere)) = prefix(at) {
        if let Some(start) = window(prefix, anywhere) {
            windows.starts[window_bucket(four_at(prefix, start))] += 1;
        }
        at += 1;
    }
    let (mut bucket, mut placed) = (0, 0);
    while bucket <= WINDOW_BUCKETS {
        placed += windows.starts[bucket];
        windows.starts[bucket] = placed;
        bucket += 1;
    }
    while at > 0 {
        at -= 1;
        if let Some((prefix, anywhere)) = prefix(at)
            && let Some(start) = window(prefix, anywhere)
        {
            let four = four_at(prefix, start);
            let bucket = window_bucket(four);
            windows.starts[bucket] -= 1;
            let place = windows.starts[bucket] as usize;
            windows.fours[place] = four;
            windows.shapes[place] = at as u16;
            windows.ends[place] = start as u8 + 4;
        }
    }
    windows
}

/// Returns the beginning of the key whose window ends with the byte at `last`. For the filter.
pub(super) fn around(bytes: &[u8], from: usize, last: usize) -> Option<usize> {
    let four = u32::from_le_bytes(*bytes.get(..=last)?.last_chunk()?);
    let bucket = window_bucket(four);
    let start = |bucket: usize| WINDOWS.starts.get(bucket).copied().map(usize::from);
    (start(bucket)?..start(bucket + 1)?).find_map(|at| {
        (WINDOWS.fours.get(at) == Some(&four)).then_some(())?;
        let shape = SHAPES.get(usize::from(*WINDOWS.shapes.get(at)?))?;
        let start = (last + 1).checked_sub(usize::from(*WINDOWS.ends.get(at)?))?;
        let rest = bytes.get(start..)?;
        let begins = match shape.anywhere {
            true => rest.starts_with(shape.prefix.as_bytes()),
            false => prefilter::begins_word(bytes, from, start) && shape.begins(rest),
        };
        begins.then_some(start)
    })
}

/// Returns the names of all rules, each once.
#[cfg(test)]
pub(super) fn rules() -> std::collections::BTreeSet<&'static str> {
    let shaped = SHAPES.iter().map(|shape| shape.rule);
    shaped.chain(BY_PARTS.iter().copied()).collect()
}

/// A key of each shape, for tests.
#[cfg(test)]
pub(super) fn examples() -> impl Iterator<Item = (&'static str, String)> {
    let fill = |alphabet: Alphabet, length: usize| -> String {
        let characters: Vec<char> = match alphabet {
            Hex | Uuid => "3f8a1c9e0b7d2465".chars().collect(),
            Upper => "Q7ZK2M5XVB3JW6TN".chars().collect(),
            _ => "a1B2c3D4e5F6g7H8i9J0k".chars().collect(),
        };
        characters.into_iter().cycle().take(length).collect()
    };
    SHAPES.iter().map(move |shape| {
        let body = fill(shape.alphabet, shape.least);
        (shape.rule, format!("{}{body}", shape.prefix))
    })
}
