//! Keys that can be told by their own shape: a fixed beginning that the provider gives them so that scanners find them.
//!
//! The facts (beginning, alphabet, least length) are those that scanners' rules and the providers' own documents agree on.
//! The least lengths are lower than theirs where the beginning is telling: half a key is half a secret. `docs/redaction.md`
//! lists the providers; a test holds the page against the table.

use super::filter::{self, ANYWHERE, AT_START};
use super::{Secret, View, find};

/// What a key is made of after its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Alphabet {
    /// Lower and upper case hexadecimal.
    Hex = 1,
    /// Capital letters and digits.
    Upper = 1 << 1,
    /// Letters and digits.
    Alnum = 1 << 2,
    /// The same with `_` and `-`: base64 for URLs.
    Word = 1 << 3,
    /// Letters, digits, `+`, `/` and `=`.
    Base64 = 1 << 4,
    /// All of these, with `.` and `~`: several parts.
    Parts = 1 << 5,
    /// Hexadecimal digits and `-`, as in a UUID.
    Uuid = 1 << 6,
}

/// For each byte the alphabets that have it.
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
}

use Alphabet::{Alnum, Base64, Hex, Parts, Upper, Uuid, Word};

/// A kind of key.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rule: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    /// The least number of characters after the prefix.
    least: usize,
    /// Whether there are never more: so that a prefix of three letters is not found in every large file in base64.
    exact: bool,
    /// Whether the prefix counts within a word, too: it must be one that no word and no hash has.
    anywhere: bool,
    /// Whether the prefix itself stays.
    keeps_prefix: bool,
    /// Whether it is none behind a sign of base64: its prefix is found in every large file of that.
    alone: bool,
}

impl Shape {
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

    /// Whether `text` may begin with such a key: by its prefix and the first bytes behind it.
    fn begins(&self, text: &[u8]) -> bool {
        const LOOKED_AT: usize = 10;
        let body = text.strip_prefix(self.prefix.as_bytes());
        let body = body.and_then(|body| body.get(..self.least.min(LOOKED_AT)));
        body.is_some_and(|body| body.iter().all(|byte| self.alphabet.has(*byte)))
    }
}

const fn shape(
    rule: &'static str,
    prefix: &'static str,
    alphabet: Alphabet,
    least: usize,
) -> Shape {
    Shape {
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
const SHAPES: &[Shape] = &[
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

/// Keys that are told by more than a beginning: the rule, and what they look like, for the documents.
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

/// A word as long as this is looked at for keys within it. A shorter one can only be the beginning of a key.
const LEAST_WORD: usize = 14;

/// What a prefix begins with, and whether it counts within a word: for the filter.
pub(super) const fn prefix(at: usize) -> Option<(&'static [u8], bool)> {
    if at >= SHAPES.len() {
        return None;
    }
    #[allow(clippy::indexing_slicing, reason = "it is looked at above")]
    let shape = SHAPES[at];
    Some((shape.prefix.as_bytes(), shape.anywhere))
}

/// The shapes in buckets of those whose prefixes begin alike.
struct Order {
    /// Which shapes.
    shapes: [u16; SHAPES.len()],
    /// The first four bytes of each one's prefix; nulls where it has fewer.
    heads: [u32; SHAPES.len()],
    /// Where each bucket begins.
    starts: [u16; HEADS + 1],
}

const HEADS: usize = 1 << 10;

/// In which bucket a shape is, by the first two bytes of its prefix.
const fn head(first: u8, second: u8) -> usize {
    (first as usize & 31) << 5 | second as usize & 31
}

static ORDER: Order = order();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn order() -> Order {
    let mut order = Order {
        shapes: [0; SHAPES.len()],
        heads: [0; SHAPES.len()],
        starts: [0; HEADS + 1],
    };
    // How many are in each bucket, then where each ends, then where each begins.
    let mut at = 0;
    while at < SHAPES.len() {
        let prefix = SHAPES[at].prefix.as_bytes();
        order.starts[head(prefix[0], prefix[1])] += 1;
        at += 1;
    }
    let mut bucket = 0;
    let mut placed = 0;
    while bucket <= HEADS {
        placed += order.starts[bucket];
        order.starts[bucket] = placed;
        bucket += 1;
    }
    while at > 0 {
        at -= 1;
        let prefix = SHAPES[at].prefix.as_bytes();
        let bucket = head(prefix[0], prefix[1]);
        order.starts[bucket] -= 1;
        let place = order.starts[bucket] as usize;
        order.shapes[place] = at as u16;
        let mut byte = 0;
        while byte < prefix.len() && byte < 4 {
            order.heads[place] |= (prefix[byte] as u32) << (8 * byte);
            byte += 1;
        }
    }
    order
}

/// The shapes whose prefix begins as `text` does, in four bytes.
fn shapes_of(text: &[u8]) -> impl Iterator<Item = &'static Shape> {
    let four: [u8; 4] = text.first_chunk().copied().unwrap_or_default();
    let bucket = head(four[0], four[1]);
    let four = u32::from_le_bytes(four);
    let start = |bucket: usize| ORDER.starts.get(bucket).copied().map(usize::from);
    let start_end = start(bucket).zip(start(bucket + 1));
    let range = start_end.map_or(0..0, |(start, end)| start..end);
    let heads = ORDER.heads.get(range.clone()).unwrap_or_default();
    let alike = heads.iter().zip(range).filter(move |(head, _)| {
        // The bytes that a short prefix has not are not compared.
        let compared = u32::MAX >> (head.leading_zeros() & 0b1_1000);
        four & compared == **head
    });
    alike.filter_map(|(_, at)| SHAPES.get(usize::from(*ORDER.shapes.get(at)?)))
}

/// Whether `text` may begin with a key, for the filter.
pub(super) fn begins(text: &[u8]) -> bool {
    shapes_of(text).any(|shape| shape.begins(text))
}

/// Where in a prefix the four bytes stand by which the filter finds it; nothing where it is found by the sign before it, because it
/// is short, or because a short one begins it.
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
        true => Some(filter::rarest(prefix, false)),
        false => None,
    }
}

/// How many shapes have such a window.
const WINDOWED: usize = windowed();

const fn windowed() -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some((prefix, anywhere)) = prefix(at) {
        count += window(prefix, anywhere).is_some() as usize;
        at += 1;
    }
    count
}

/// The windows of the prefixes, in order; the shapes they are of; where in the prefix they end.
struct Windows {
    fours: [u32; WINDOWED],
    shapes: [u16; WINDOWED],
    ends: [u8; WINDOWED],
}

static WINDOWS: Windows = windows();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn windows() -> Windows {
    let mut windows = Windows {
        fours: [0; WINDOWED],
        shapes: [0; WINDOWED],
        ends: [0; WINDOWED],
    };
    let (mut at, mut placed) = (0, 0);
    while let Some((prefix, anywhere)) = prefix(at) {
        if let Some(start) = window(prefix, anywhere) {
            let four = [
                prefix[start],
                prefix[start + 1],
                prefix[start + 2],
                prefix[start + 3],
            ];
            let four = u32::from_le_bytes(four);
            let mut place = placed;
            while place > 0 && windows.fours[place - 1] > four {
                windows.fours[place] = windows.fours[place - 1];
                windows.shapes[place] = windows.shapes[place - 1];
                windows.ends[place] = windows.ends[place - 1];
                place -= 1;
            }
            windows.fours[place] = four;
            windows.shapes[place] = at as u16;
            windows.ends[place] = start as u8 + 4;
            placed += 1;
        }
        at += 1;
    }
    windows
}

/// Where the key may begin whose prefix has the window that ends with the byte at `last`, for the filter.
pub(super) fn around(bytes: &[u8], from: usize, last: usize) -> Option<usize> {
    let four = u32::from_le_bytes(*bytes.get(..=last)?.last_chunk()?);
    let first = WINDOWS.fours.partition_point(|of| *of < four);
    let alike = WINDOWS.fours.iter().skip(first);
    let alike = alike.take_while(|of| **of == four).count();
    (first..first + alike).find_map(|at| {
        let shape = SHAPES.get(usize::from(*WINDOWS.shapes.get(at)?))?;
        let start = (last + 1).checked_sub(usize::from(*WINDOWS.ends.get(at)?))?;
        let rest = bytes.get(start..)?;
        let begins = match shape.anywhere {
            true => rest.starts_with(shape.prefix.as_bytes()),
            false => filter::begins_word(bytes, from, start) && shape.begins(rest),
        };
        begins.then_some(start)
    })
}

/// The first key that begins in the word from `start` to `end`. Before `start` no word goes on.
///
/// `point` is where the next point of the word is, as far as that is known.
pub(super) fn in_word(
    view: View<'_>,
    start: usize,
    end: usize,
    point: &mut usize,
) -> Option<Secret> {
    let bytes = view.bytes();
    let next = bytes.get(end).copied();
    if end - start < LEAST_WORD {
        return match next {
            Some(b'/' | b'+' | b'=' | b'~' | b'$') => {
                let window = *bytes.get(start..)?.first_chunk()?;
                (filter::beginning(window) != 0).then_some(())?;
                prefixed(view, start, true)
            }
            _ => None,
        };
    }
    let rest = bytes.get(start..)?;
    let mut before = b' ';
    let windows = rest.array_windows::<4>().take(end - start - 3).enumerate();
    for (offset, window) in windows {
        let begins = !before.is_ascii_alphanumeric();
        before = window[0];
        let matters = if begins {
            AT_START | ANYWHERE
        } else {
            ANYWHERE
        };
        if filter::beginning(*window) & matters == 0 {
            if begins && matches!(window[0], b'M' | b'N' | b'O') {
                let at = start + offset;
                if let Some(key) = discord(bytes, at, point, end) {
                    return Some(key);
                }
            }
            continue;
        }
        let at = start + offset;
        let key = prefixed(view, at, begins).or_else(|| match window[0] {
            b'e' if begins => json_web_token(bytes, at, point, end),
            b'M' | b'N' | b'O' if begins => discord(bytes, at, point, end),
            b'.' => terraform(bytes, start, at),
            b'L' if begins => super::pem::in_base64(view, at),
            _ => None,
        });
        if key.is_some() {
            return key;
        }
    }
    // Its length counts.
    if view.touches(end) {
        return None;
    }
    by_parts(bytes, start, end)
}

/// The key that all of `word` is.
pub(super) fn whole(word: &str) -> Option<Secret> {
    // Most values are shorter than a key.
    (word.len() >= SHORTEST).then_some(())?;
    let view = View::whole(word);
    let end = word_end(word);
    let key = in_word(view, 0, end, &mut 0).or_else(|| beside_word(view, 0, end))?;
    (key.start == 0 && key.end == word.len()).then_some(key)
}

fn word_end(text: &str) -> usize {
    let end = text.bytes().position(|byte| !super::scan::is_word(byte));
    end.unwrap_or(text.len())
}

/// Whether no character of `alphabet` stands at `at`, nor a mark, behind which one may have stood.
fn ends_at(view: View<'_>, at: usize, alphabet: Alphabet) -> bool {
    !view.touches(at) && view.byte(at).is_none_or(|byte| !alphabet.has(byte))
}

/// Whether a sign of base64 stands before `at`, and base64 before that.
fn is_in_base64(view: View<'_>, at: usize) -> bool {
    matches!(
        view.bytes().get(view.barrier.min(at)..at),
        Some([.., first, second, b'+' | b'/']) if Base64.has(*first) && Base64.has(*second)
    )
}

fn prefixed(view: View<'_>, at: usize, begins: bool) -> Option<Secret> {
    let bytes = view.bytes();
    let rest = bytes.get(at..)?;
    let mut alike = shapes_of(rest);
    let (shape, body) = alike.find_map(|shape| {
        let body = rest.strip_prefix(shape.prefix.as_bytes())?;
        let least = body.get(..shape.least)?;
        let is_key = (shape.anywhere || begins)
            && !(shape.alone && is_in_base64(view, at))
            && least.iter().all(|byte| shape.alphabet.has(*byte))
            && (matches!(shape.alphabet, Upper) || is_no_word(least))
            && (!shape.exact
                || ends_at(view, at + shape.prefix.len() + shape.least, shape.alphabet));
        is_key.then_some((shape, body))
    })?;
    let prefix = shape.prefix.len();
    Some(Secret {
        start: at + if shape.keeps_prefix { prefix } else { 0 },
        end: at + prefix + run(body, shape.alphabet, usize::MAX),
        rule: shape.rule,
    })
}

/// How many characters of `alphabet` `bytes` begins with, at most so many.
pub(super) fn run(bytes: &[u8], alphabet: Alphabet, most: usize) -> usize {
    let bytes = bytes.get(..most).unwrap_or(bytes);
    let end = bytes.iter().position(|byte| !alphabet.has(*byte));
    end.unwrap_or(bytes.len())
}

/// The characters of `alphabet` that `bytes` ends with, at most so many.
fn run_back(bytes: &[u8], alphabet: Alphabet, most: usize) -> usize {
    let back = bytes.iter().rev().take(most);
    back.take_while(|byte| alphabet.has(**byte)).count()
}

/// Digits, or letters of both cases: neither prose nor an identifier of one case.
pub(super) fn is_no_word(body: &[u8]) -> bool {
    // Without a branch, so that many are looked at at once.
    let (mut digit, mut small, mut capital) = (false, false, false);
    for byte in body {
        digit |= byte.is_ascii_digit();
        small |= byte.is_ascii_lowercase();
        capital |= byte.is_ascii_uppercase();
    }
    digit || small && capital
}

/// Where the first point of the word is from `at` on; its end where there is none. Each is looked for once.
fn next_point(bytes: &[u8], at: usize, point: &mut usize, end: usize) -> usize {
    if *point < at || *point == 0 {
        let rest = bytes.get(at..end).unwrap_or_default();
        *point = find::first(b'.', rest).map_or(end, |offset| at + offset);
    }
    (*point).min(end)
}

/// `eyJ….….…`: a header, a payload, and mostly a signature.
fn json_web_token(bytes: &[u8], at: usize, point: &mut usize, end: usize) -> Option<Secret> {
    bytes.get(at..).filter(|rest| rest.starts_with(b"eyJ"))?;
    let header = next_point(bytes, at, point, end);
    let payload = bytes.get(header..)?.strip_prefix(b".")?;
    let is_token = header - at >= 12 && run(payload, Word, 8) == 8;
    is_token.then(|| Secret {
        start: at,
        end: header + run(bytes.get(header..).unwrap_or_default(), Parts, usize::MAX),
        rule: "jwt",
    })
}

/// The least and the greatest length of a bot's id in base64.
pub(super) const LEAST_ID: usize = 23;
pub(super) const MOST_ID: usize = 28;

/// A bot's token: its id in base64, a time, a signature, with points between them.
fn discord(bytes: &[u8], at: usize, point: &mut usize, end: usize) -> Option<Secret> {
    // Of the base64 of two digits the second character.
    matches!(bytes.get(at + 1), Some(b'D' | b'T' | b'j' | b'z')).then_some(())?;
    let first = next_point(bytes, at, point, end);
    (LEAST_ID..=MOST_ID).contains(&(first - at)).then_some(())?;
    let id = run(bytes.get(at..)?, Alnum, MOST_ID);
    let time = bytes.get(at + id..)?.strip_prefix(b".")?;
    let length = run(time, Word, 8);
    let signature = time.get(length..)?.strip_prefix(b".")?;
    let is_token = (6..=7).contains(&length) && run(signature, Word, 27) == 27;
    is_token.then(|| Secret {
        start: at,
        end: at + id + 1 + length + 1 + run(signature, Word, usize::MAX),
        rule: "discord",
    })
}

/// A token of HCP Terraform: `.atlasv1.` in its middle, at `at`.
fn terraform(bytes: &[u8], start: usize, at: usize) -> Option<Secret> {
    let tail = bytes.get(at..)?.strip_prefix(b".atlasv1.")?;
    let lead = run_back(bytes.get(start..at)?, Alnum, 20);
    (lead >= 10 && run(tail, Parts, 30) == 30).then(|| Secret {
        start: at - lead,
        end: at + b".atlasv1.".len() + run(tail, Parts, usize::MAX),
        rule: "terraform",
    })
}

/// The key in a word whose characters stand in fixed places.
fn by_parts(bytes: &[u8], start: usize, end: usize) -> Option<Secret> {
    let word = bytes.get(start..end)?;
    let all = |rule| Some(Secret { start, end, rule });
    let is = |part: Option<&[u8]>, alphabet: Alphabet| {
        part.is_some_and(|part| part.iter().all(|byte| alphabet.has(*byte)))
    };
    let length = word.len();
    let hex = || run(word, Hex, 33);
    match word.first()? {
        _ if matches!(length, 80..=90)
            && word.get(length - 8..length - 4) == Some(b"AZDO")
            && is(Some(word), Alnum) =>
        {
            return all("azure");
        }
        _ if matches!(length, 52..=56) && is(Some(word), Word) => {
            let part =
                |at: usize| matches!(word.get(at..at + 4), Some(b"AzSe" | b"AzFu" | b"AzCa"));
            if (38..=46).any(part) {
                return all("azure");
            }
        }
        _ if length == 40 && word.ends_with(b"NRAL") && is(word.get(..32), Hex) => {
            return all("newrelic");
        }
        _ if length == 40 && word.ends_with(b"_mmk") && is_no_word(word) => return all("maxmind"),
        _ if length == 50
            && word.get(10..13) == Some(b"msh")
            && word.get(35..38) == Some(b"jsn")
            && is(Some(word), Alnum) =>
        {
            return all("rapidapi");
        }
        b'p' if word.starts_with(b"pat")
            && word.get(17) == Some(&b'.')
            && is(word.get(3..17), Alnum)
            && length >= 50
            && is(word.get(18..), Hex) =>
        {
            return all("airtable");
        }
        b'p' if word.starts_with(b"pk_") => {
            let digits = word.iter().skip(3).take_while(|b| b.is_ascii_digit());
            let digits = digits.count();
            let rest = word.get(3 + digits..)?.strip_prefix(b"_")?;
            if (5..=12).contains(&digits) && rest.len() >= 30 && is(Some(rest), Upper) {
                return all("clickup");
            }
        }
        b'r' if word.starts_with(b"re_") => {
            let rest = word.get(3..)?;
            let at = rest.iter().position(|b| *b == b'_')?;
            if (7..=9).contains(&at)
                && (20..=30).contains(&(rest.len() - at - 1))
                && is(rest.get(at + 1..), Alnum)
                && rest.get(at + 1..).is_some_and(is_no_word)
                && rest.iter().any(u8::is_ascii_uppercase)
            {
                return all("resend");
            }
        }
        b'a' if word.starts_with(b"at_")
            && word.get(13) == Some(&b'_')
            && is(word.get(3..13), Alnum)
            && length >= 60 =>
        {
            return all("boundary");
        }
        b'A' if word.starts_with(b"A3-")
            && (36..=44).contains(&length)
            && word.iter().filter(|b| **b == b'-').count() >= 6
            && word.iter().all(|b| Upper.has(*b) || *b == b'-')
            && word.iter().any(u8::is_ascii_digit) =>
        {
            return all("1password");
        }
        _ => {}
    }
    // Of those that begin with 32 hexadecimal digits most are hashes.
    let tail = word.get(32..)?;
    if hex() != 32 || tail.first() != Some(&b'-') {
        return None;
    }
    let centre = tail.strip_prefix(b"-us");
    if centre.is_some_and(|rest| matches!(rest.len(), 1..=2) && rest.iter().all(u8::is_ascii_digit))
    {
        return all("mailchimp");
    }
    let is_mailgun = tail.len() == 18
        && tail.get(9) == Some(&b'-')
        && is(tail.get(1..9), Hex)
        && is(tail.get(10..), Hex);
    if is_mailgun { all("mailgun") } else { None }
}

/// The key that the word from `start` to `end` begins and what stands behind it goes on with.
pub(super) fn beside_word(view: View<'_>, start: usize, end: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let word = bytes.get(start..end)?;
    let rest = bytes.get(end..)?;
    let tail = |alphabet: Alphabet, from: usize, least: usize| {
        let tail = rest.get(from..)?;
        let body = tail.get(..least)?;
        let is_key = body.iter().all(|byte| alphabet.has(*byte)) && is_no_word(body);
        is_key.then(|| end + from + run(tail, alphabet, usize::MAX))
    };
    let (start, end, rule) = match rest.first()? {
        // Three characters, a digit, `Q~`.
        b'~' if word.len() >= 5 && word.ends_with(b"Q") => {
            let [.., digit, _] = word else { return None };
            digit.is_ascii_digit().then_some(())?;
            (end - 5, tail(Parts, 1, 20)?, "azure")
        }
        // A bot's number, `:AA`, and its token.
        b':' if (8..=11).contains(&word.len())
            && rest.starts_with(b":AA")
            && word.iter().all(u8::is_ascii_digit) =>
        {
            (start, tail(Word, 1, 30)?, "telegram")
        }
        b':' if rest.starts_with(b":APA91b") && (8..=30).contains(&word.len()) => {
            (start, tail(Word, 1, 60)?, "firebase")
        }
        b':' if word == b"oauth" => {
            let token = rest.get(1..31)?;
            let is_token = token
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && token.iter().any(u8::is_ascii_digit)
                && ends_at(view, end + 31, Word);
            is_token.then_some((start, end + 31, "twitch"))?
        }
        b':' if rest.starts_with(b":fx")
            && word.len() == 36
            && word.iter().all(|b| Uuid.has(*b))
            && ends_at(view, end + 3, Alnum) =>
        {
            (start, end + 3, "deepl")
        }
        b'!' if word.starts_with(b"00D") && matches!(word.len(), 15 | 18) => {
            (start, tail(Parts, 1, 60)?, "salesforce")
        }
        b'%' if word.len() >= 40 && word.iter().take(19).all(|b| *b == b'A') => {
            let rest = rest.iter().take(256);
            let length = rest.take_while(|b| Word.has(**b) || **b == b'%').count();
            (start, end + length, "twitter")
        }
        // `1/number:hex` and `2/number/number:hex`.
        b'/' if matches!(word, b"0" | b"1" | b"2") => {
            let digits = |from: usize| {
                let rest = rest.get(from..).unwrap_or_default();
                let digits = rest.iter().take(24).take_while(|b| b.is_ascii_digit());
                from + digits.count()
            };
            let mut at = digits(1);
            (at >= 11).then_some(())?;
            if rest.get(at) == Some(&b'/') {
                at = digits(at + 1);
            }
            (rest.get(at) == Some(&b':')).then_some(())?;
            (start, tail(Hex, at + 1, 32)?, "asana")
        }
        _ => return None,
    };
    Some(Secret { start, end, rule })
}

/// The rules, each once.
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
