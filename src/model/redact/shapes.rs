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
    /// All characters of the alphabets above, `:`, `$`, `@`, `|` and `!`: a key of parts that such signs join.
    Joined = 1 << 7,
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
        if bits & Parts as u8 != 0 || matches!(byte, b':' | b'$' | b'@' | b'|' | b'!') {
            bits |= Joined as u8;
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

use Alphabet::{Alnum, Base64, Hex, Joined, Parts, Upper, Uuid, Word};

/// A part of a key, for keys whose parts have fixed lengths.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// Characters of an alphabet: the least and the greatest number.
    Run(Alphabet, usize, usize),
    Sign(&'static str),
}

use Part::{Run, Sign};

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
    /// Whether the rest must look random, because words begin like this, too.
    pub(super) random: bool,
    /// The parts after the prefix, if the key has parts.
    pub(super) form: &'static [Part],
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

    const fn random(self) -> Self {
        Self {
            random: true,
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
        random: false,
        form: &[],
    }
}

/// Returns the shape of a key whose parts have fixed lengths. The first part is a run.
#[allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn formed(rule: &'static str, prefix: &'static str, form: &'static [Part]) -> SecretShape {
    let (alphabet, least) = match form[0] {
        Run(alphabet, least, _) => (alphabet, least),
        Sign(_) => panic!("a form begins with a run"),
    };
    SecretShape {
        form,
        ..shape(rule, prefix, alphabet, least)
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
    // Clouds and hosting, again.
    shape("aws", "da2-", Alnum, 26).exactly(),
    shape("aws", "FwoGZXIvYXdz", Base64, 80).alone(),
    shape("aws", "FQoGZXIvYXdz", Base64, 80).alone(),
    shape("aws", "eyJwYXlsb2FkIjoi", Base64, 100),
    shape("aws", "k8s-aws-v1.", Word, 40),
    shape("aws", "aws-k8s-v1.", Word, 40),
    shape("amazon", "amzn1.oa2-cs.v1.", Hex, 40),
    shape("amazon", "amzn.mws.", Uuid, 36),
    shape("amazon", "Atzr|", Parts, 60),
    shape("amazon", "Atza|", Parts, 60),
    shape("azure", "0.A", Parts, 200).random(),
    shape("azure", "1.A", Parts, 200).random(),
    shape("azure", "M.C5", Joined, 80).random(),
    shape("google", "GOOG1E", Upper, 55),
    shape("google", "GOOG", Upper, 20).exactly(),
    shape("akamai", "akab-", Word, 33).random(),
    shape("alibaba", "SEC", Hex, 64).exactly(),
    shape("baidu", "bce-v3/", Parts, 60),
    shape("baidu", "ALTAK", Alnum, 21).random(),
    shape("volcengine", "AKLT", Base64, 40).alone().random(),
    shape("jdcloud", "JDC_", Upper, 20),
    shape("yandex", "t1.9eu", Parts, 100),
    shape("vk", "vk1.a.", Word, 60),
    shape("scaleway", "SCW", Upper, 17).exactly().random(),
    shape("upcloud", "ucat_", Alnum, 24),
    shape("netbird", "nbp_", Alnum, 36),
    shape("neon", "npg_", Alnum, 12).exactly(),
    shape("xata", "xau_", Alnum, 36),
    shape("xata", "xdb_", Alnum, 36),
    shape("deno", "ddp_", Alnum, 36),
    shape("deno", "ddo_", Alnum, 36),
    shape("deno", "ddw_", Alnum, 36),
    shape("convex", "eyJ2MiI6", Base64, 40),
    shape("cloudflare", "eyJhIjoi", Base64, 140),
    shape("backblaze", "K00", Base64, 28).exactly().alone().random(),
    shape("tigris", "tsec_", Word, 40),
    shape("coreweave", "CW-SECRET-", Alnum, 40),
    shape("porkbun", "pk1_", Hex, 60),
    shape("porkbun", "sk1_", Hex, 60),
    shape("appwrite", "standard_", Hex, 100),
    formed("astra", "AstraCS:", &[Run(Alnum, 24, 24), Sign(":"), Run(Hex, 64, 64)]),
    shape("tinybird", "p.eyJ", Parts, 60),
    shape("databricks", "dkea", Hex, 32),
    shape("aikido", "AIK_", Word, 30).random(),
    shape("imagekit", "private_", Base64, 28).exactly().random(),
    shape("pipedream", "pd_", Alnum, 40).random(),
    // Containers and clusters.
    formed("rancher", "token-", &[Run(Alnum, 5, 10), Sign(":"), Run(Alnum, 54, 54)]),
    formed("rancher", "kubeconfig-", &[Run(Word, 5, 60), Sign(":"), Run(Alnum, 54, 54)]),
    formed("k3s", "K10", &[Run(Hex, 64, 64), Sign("::"), Run(Joined, 16, usize::MAX)]),
    shape("docker", "SWMTKN-1-", Word, 40),
    shape("docker", "SWMKEY-1-", Base64, 40),
    shape("portainer", "ptr_", Base64, 40),
    shape("namespace", "nsct_", Word, 40),
    // Version control and continuous integration, again.
    shape("github", "v1.", Hex, 40).exactly(),
    shape("atlassian", "ATSTT3", Parts, 60),
    shape("atlassian", "ATOATT3", Parts, 60),
    shape("buildkite", "bkaj_", Word, 36),
    shape("buildkite", "bkct_", Word, 20).random(),
    formed("harness", "pat.", &[Run(Word, 20, 24), Sign("."), Run(Hex, 24, 24), Sign("."), Run(Alnum, 20, 20)]),
    formed("harness", "sat.", &[Run(Word, 20, 24), Sign("."), Run(Hex, 24, 24), Sign("."), Run(Alnum, 20, 20)]),
    shape("deepsource", "dsp_", Hex, 36),
    shape("deepsource", "dsp_", Alnum, 36).random(),
    shape("socket", "sktsec_", Word, 30),
    shape("endor", "endr+", Alnum, 14),
    shape("chromatic", "chpt_", Alnum, 12),
    shape("percy", "web_", Hex, 64),
    shape("percy", "auto_", Hex, 64),
    shape("lambdatest", "LT_", Alnum, 40).random(),
    shape("sourcegraph", "sgamp_", Word, 40),
    shape("sourcegraph", "slk_", Hex, 64),
    shape("octopus", "API-", Upper, 30).exactly(),
    shape("gitpod", "gitpod_pat_", Parts, 40),
    // Chat and hooks, again.
    shape("slack", "hooks.slack-gov.com/services/", Base64, 30).anywhere().keeps_prefix(),
    shape("discord", "discord.com/api/v10/webhooks/", Parts, 60).anywhere().keeps_prefix(),
    shape("discord", "discord.com/api/v9/webhooks/", Parts, 60).anywhere().keeps_prefix(),
    shape("discord", "discord.com/api/v8/webhooks/", Parts, 60).anywhere().keeps_prefix(),
    shape("zapier", "hooks.zapier.com/hooks/standard/", Parts, 12).anywhere().keeps_prefix(),
    shape("office", "webhook.office.com/webhookb2/", Joined, 60).anywhere().keeps_prefix(),
    shape("office", "outlook.office.com/webhook/", Joined, 60).anywhere().keeps_prefix(),
    shape("feishu", "open.feishu.cn/open-apis/bot/v2/hook/", Uuid, 30).anywhere().keeps_prefix(),
    shape("feishu", "open.larksuite.com/open-apis/bot/v2/hook/", Uuid, 30).anywhere().keeps_prefix(),
    shape("make", "hook.eu1.make.com/", Alnum, 20).anywhere().keeps_prefix(),
    shape("make", "hook.eu2.make.com/", Alnum, 20).anywhere().keeps_prefix(),
    shape("make", "hook.us1.make.com/", Alnum, 20).anywhere().keeps_prefix(),
    shape("make", "hook.us2.make.com/", Alnum, 20).anywhere().keeps_prefix(),
    shape("ifttt", "with/key/", Word, 20).anywhere().keeps_prefix(),
    shape("bark", "api.day.app/", Alnum, 20).anywhere().keeps_prefix().random(),
    shape("serverchan", "sctapi.ftqq.com/SCT", Alnum, 20).anywhere().keeps_prefix(),
    shape("google", "private-", Hex, 32),
    shape("alchemy", "alchemy.com/v2/", Word, 20).anywhere().keeps_prefix(),
    shape("alchemy", "alchemyapi.io/v2/", Word, 20).anywhere().keeps_prefix(),
    shape("infura", "infura.io/v3/", Hex, 32).anywhere().keeps_prefix(),
    shape("infura", "infura.io/ws/v3/", Hex, 32).anywhere().keeps_prefix(),
    shape("quicknode", "quiknode.pro/", Hex, 32).anywhere().keeps_prefix(),
    shape("chainstack", "core.chainstack.com/", Hex, 32).anywhere().keeps_prefix(),
    shape("ankr", "rpc.ankr.com/eth/", Hex, 32).anywhere().keeps_prefix(),
    shape("matrix", "syt_", Word, 24),
    formed("matrix", "mat_", &[Run(Alnum, 30, 30), Sign("_"), Run(Alnum, 6, 6)]),
    formed("matrix", "mar_", &[Run(Alnum, 30, 30), Sign("_"), Run(Alnum, 6, 6)]),
    formed("matrix", "mct_", &[Run(Alnum, 30, 30), Sign("_"), Run(Alnum, 6, 6)]),
    shape("kakao", "KakaoAK ", Hex, 32).keeps_prefix(),
    shape("wxpusher", "AT_", Alnum, 32).exactly().random(),
    shape("ntfy", "tk_", Alnum, 29).exactly().random(),
    // Providers of models, again.
    shape("openai", "ek_", Hex, 32),
    shape("cursor", "crsr_", Hex, 40),
    shape("mem0", "m0-", Alnum, 36).random(),
    shape("modal", "ak-", Alnum, 22).exactly().random(),
    shape("luma", "luma-", Uuid, 36),
    shape("featherless", "rc_", Hex, 60),
    shape("chutes", "cpk_", Parts, 60),
    shape("brave", "BSA", Word, 27).exactly().random(),
    shape("brave", "BSA", Word, 28).exactly().random(),
    shape("hyperbrowser", "hb_", Hex, 28),
    shape("browseruse", "bu_", Word, 40).random(),
    shape("steel", "ste-", Word, 50).random(),
    shape("braintrust", "bt-st-", Alnum, 36),
    shape("humanloop", "hl_sk_", Hex, 40),
    shape("logfire", "pylf_v1_", Word, 30),
    shape("logfire", "pylf_v2_", Word, 30),
    shape("langsmith", "ls__", Hex, 32),
    shape("kaggle", "KGAT_", Hex, 32),
    shape("cartesia", "sk_car_", Word, 20),
    shape("retell", "key_", Hex, 28).exactly(),
    shape("letta", "sk-let-", Base64, 40),
    shape("chroma", "ck-", Alnum, 43).exactly().random(),
    shape("turbopuffer", "tpuf_", Alnum, 30),
    shape("nomic", "nk-", Word, 43).exactly().random(),
    shape("continue", "con-", Hex, 60),
    shape("coderabbit", "cr-", Hex, 50),
    shape("devin", "apk_user_", Base64, 40),
    shape("warp", "wk-1.", Hex, 60),
    shape("factory", "fk-", Word, 40).random(),
    shape("anyscale", "aph0_", Word, 40),
    shape("openai", "sk-", Hex, 32),
    // Payment, again.
    shape("paypal", "access_token$sandbox$", Joined, 40).anywhere(),
    shape("paypal", "access_token$production$", Joined, 40).anywhere(),
    shape("mollie", "live_", Alnum, 30).exactly().random(),
    shape("mollie", "test_", Alnum, 30).exactly().random(),
    shape("chargebee", "live_", Alnum, 32).random(),
    shape("chargebee", "test_", Alnum, 32).random(),
    shape("lob", "live_", Hex, 35).exactly(),
    shape("lob", "test_", Hex, 35).exactly(),
    shape("gocardless", "live_", Word, 40).exactly().random(),
    shape("paddle", "pdl_live_", Word, 30),
    shape("paddle", "pdl_sdbx_", Word, 30),
    shape("paddle", "pdl_ntfset_", Word, 30),
    shape("mercadopago", "APP_USR-", Word, 36),
    formed("mercadopago", "TEST-", &[Run(Hex, 16, 16), Sign("-"), Run(Hex, 6, 6), Sign("-"), Run(Hex, 32, 32), Sign("-"), Run(Hex, 6, 12)]),
    shape("klarna", "klarna_live_", Parts, 40),
    shape("klarna", "klarna_test_", Parts, 40),
    shape("square", "sq0csb-", Word, 40),
    formed("adyen", "AQE", &[Run(Base64, 40, 200), Sign("-"), Run(Base64, 40, 100), Sign("-"), Run(Joined, 8, usize::MAX)]),
    shape("shopify", "shptka_", Hex, 28),
    shape("shopify", "shpua_", Hex, 28),
    shape("checkout", "sk_sbox_", Word, 24),
    shape("brex", "bxt_", Alnum, 40),
    shape("midtrans", "Mid-server-", Word, 20),
    shape("xendit", "xnd_production_", Word, 30),
    shape("xendit", "xnd_development_", Word, 30),
    shape("omise", "skey_", Alnum, 19).exactly().random(),
    shape("omise", "skey_test_", Alnum, 16),
    shape("pagarme", "ak_live_", Alnum, 24),
    shape("pagarme", "ak_test_", Alnum, 24),
    shape("asaas", "aact_prod_", Base64, 40),
    shape("asaas", "aact_hmlg_", Base64, 40),
    shape("efi", "Client_Secret_", Hex, 36),
    shape("wompi", "prv_prod_", Alnum, 24),
    shape("wompi", "prv_test_", Alnum, 24),
    shape("sumup", "sup_sk_", Alnum, 30),
    shape("cashfree", "cfsk_ma_", Word, 30),
    shape("openpay", "sk_", Hex, 32).exactly(),
    shape("revenuecat", "sk_", Alnum, 28).random(),
    shape("liveblocks", "sk_dev_", Word, 30),
    shape("liveblocks", "sk_prod_", Word, 40),
    shape("crossmint", "sk_production_", Alnum, 40),
    shape("crossmint", "sk_staging_", Alnum, 40),
    shape("ebay", "PRD-", Uuid, 28).exactly(),
    shape("ebay", "PRD-", Uuid, 32).exactly(),
    shape("ebay", "SBX-", Uuid, 32).exactly(),
    // Mail, again.
    shape("mailersend", "mlsn.", Hex, 48),
    shape("mandrill", "md-", Word, 22).exactly().random(),
    shape("klaviyo", "pk_", Hex, 34).exactly(),
    shape("courier", "pk_prod_", Alnum, 26),
    shape("zeptomail", "Zoho-enczapikey ", Parts, 40).keeps_prefix(),
    shape("zoho", "Zoho-oauthtoken ", Parts, 40).keeps_prefix(),
    // Tokens of open standards.
    shape("paseto", "v1.local.", Parts, 40),
    shape("paseto", "v2.local.", Parts, 40),
    shape("paseto", "v3.local.", Parts, 40),
    shape("paseto", "v4.local.", Parts, 40),
    shape("paseto", "v1.public.", Parts, 40),
    shape("paseto", "v2.public.", Parts, 40),
    shape("paseto", "v3.public.", Parts, 40),
    shape("paseto", "v4.public.", Parts, 40),
    shape("paserk", "k1.", Parts, 40).random(),
    shape("paserk", "k2.", Parts, 40).random(),
    shape("paserk", "k3.", Parts, 40).random(),
    shape("paserk", "k4.", Parts, 40).random(),
    shape("phoenix", "SFMyNTY.", Parts, 40),
    shape("age", "AGE-SECRET-KEY-PQ-1", Upper, 40).anywhere(),
    shape("age", "AGE-PLUGIN-YUBIKEY-1", Upper, 20).anywhere(),
    shape("minisign", "RWRTY0Iy", Base64, 100),
    shape("signify", "RWRCSwAA", Base64, 100),
    // Wallets.
    shape("nostr", "nsec1", Alnum, 58),
    shape("nostr", "ncryptsec1", Alnum, 80),
    shape("tezos", "edsk", Alnum, 50).random(),
    shape("tezos", "edesk", Alnum, 80).random(),
    shape("tezos", "spsk", Alnum, 50).exactly().random(),
    shape("tezos", "p2sk", Alnum, 50).exactly().random(),
    shape("bip32", "yprv", Alnum, 100),
    shape("bip32", "zprv", Alnum, 100),
    shape("bip32", "tprv", Alnum, 100),
    shape("bip32", "uprv", Alnum, 100),
    shape("bip32", "vprv", Alnum, 100),
    shape("cardano", "ed25519_sk1", Alnum, 50),
    shape("cardano", "ed25519e_sk1", Alnum, 80),
    shape("cardano", "root_xsk1", Alnum, 100),
    shape("cardano", "acct_xsk1", Alnum, 100),
    shape("cardano", "addr_xsk1", Alnum, 100),
    shape("sui", "suiprivkey1", Alnum, 50),
    shape("aptos", "ed25519-priv-0x", Hex, 60),
    shape("aptos", "secp256k1-priv-0x", Hex, 60),
    shape("near", "ed25519:", Alnum, 80),
    shape("eos", "PVT_K1_", Alnum, 45),
    shape("eos", "PVT_R1_", Alnum, 45),
    shape("zcash", "secret-extended-key-main1", Alnum, 100),
    shape("lightning", "AgEDbG5k", Base64, 60),
    // More of everything else.
    formed("bitwarden", "0.", &[Run(Uuid, 36, 36), Sign("."), Run(Alnum, 30, 30), Sign(":"), Run(Base64, 22, 24)]),
    shape("dashlane", "dls_", Parts, 60).random(),
    shape("infisical", "st.", Hex, 20),
    shape("1password", "eyJhbGciOiJBMjU2R0NNIiwi", Parts, 100),
    shape("pagerduty", "pdus+", Word, 20),
    shape("pagerduty", "pdeu+", Word, 20),
    shape("axiom", "xaat-", Uuid, 36),
    shape("axiom", "xapt-", Uuid, 36),
    shape("axiom", "xait-", Uuid, 36),
    shape("checkly", "cu_", Hex, 32),
    shape("newrelic", "NRRA-", Hex, 42),
    shape("newrelic", "NRSP-", Word, 30),
    shape("sentry", "sntrya_", Hex, 30),
    shape("sentry", "sntryi_", Hex, 30),
    shape("dynatrace", "dt0s01.", Parts, 60),
    shape("dynatrace", "dt0s02.", Parts, 60),
    shape("dynatrace", "dt0s08.", Parts, 60),
    shape("dynatrace", "dt0e01.", Parts, 40),
    shape("honeycomb", "hcalk_", Alnum, 40),
    shape("honeycomb", "hcblk_", Alnum, 40),
    shape("honeycomb", "hcxik_", Alnum, 40),
    shape("honeycomb", "hcxlk_", Alnum, 40),
    shape("statsig", "secret-", Alnum, 40).random(),
    shape("statsig", "console-", Alnum, 40).random(),
    shape("configcat", "configcat-sdk-1/", Parts, 40),
    shape("flagsmith", "ser.", Alnum, 22).exactly().random(),
    shape("growthbook", "secret_admin_", Base64, 20),
    shape("growthbook", "secret_readonly_", Base64, 20),
    shape("growthbook", "secret_user_", Base64, 30),
    shape("devcycle", "dvc_server_", Word, 30),
    shape("hubspot", "pat-na3-", Uuid, 30),
    shape("hubspot", "pat-ap1-", Uuid, 30),
    shape("figma", "figu_", Word, 36),
    shape("figma", "figoh_", Word, 30),
    shape("figma", "figor_", Word, 30),
    shape("figma", "figur_", Word, 30),
    shape("canva", "cnvca", Word, 30).random(),
    shape("builderio", "bpk-", Hex, 32),
    shape("retool", "retool_01", Alnum, 22),
    shape("n8n", "n8n_api_", Parts, 36),
    shape("cal", "cal_live_", Hex, 28),
    shape("cal", "cal_test_", Hex, 28),
    shape("cal", "cal_", Hex, 32),
    shape("tally", "tly-", Alnum, 32),
    shape("arcgis", "AAPK", Word, 60).alone(),
    shape("arcgis", "AAPT", Word, 60).alone(),
    shape("arcgis", "AATK", Word, 60).alone(),
    formed("mapillary", "MLY|", &[Run(Hex, 10, 20), Sign("|"), Run(Hex, 32, 32)]),
    shape("riot", "RGAPI-", Uuid, 36),
    shape("roblox", "WARNING:-DO-NOT-SHARE-THIS.", Joined, 100),
    shape("modrinth", "mrp_", Alnum, 50),
    shape("thunderstore", "tss_", Alnum, 40),
    shape("meta", "THAA", Alnum, 80).alone(),
    shape("meta", "THQW", Alnum, 80).alone(),
    shape("tiktok", "act.", Joined, 50).random(),
    shape("linkedin", "AQV", Word, 200).alone().random(),
    shape("linkedin", "WPL_AP1.", Parts, 20),
    shape("pinterest", "pina_", Alnum, 50),
    shape("permit", "permit_key_", Alnum, 40),
    shape("ttn", "NNSXS.", Parts, 50),
    shape("adobe", "p8e-", Alnum, 32).exactly(),
    shape("ionic", "ion_", Alnum, 42).exactly().random(),
    shape("persona", "persona_production_", Uuid, 30),
    shape("persona", "persona_sandbox_", Uuid, 30),
    shape("rootly", "rootly_", Hex, 60),
    shape("samsara", "samsara_api_", Alnum, 28),
    shape("wakatime", "waka_", Uuid, 36),
    shape("blockprotocol", "b10ck5.", Parts, 40),
    shape("valtown", "vtwn_", Alnum, 20),
    shape("dynamic", "dyn_", Alnum, 50).random(),
    shape("mintlify", "mint_", Alnum, 22).random(),
    shape("gitbook", "gb_api_", Alnum, 36),
    shape("seam", "seam_", Word, 28).random(),
    shape("datasette", "dstok_", Word, 30),
    shape("hex", "hxtp_", Hex, 60),
    shape("hex", "hxtw_", Hex, 60),
    shape("metabase", "mb_", Base64, 44).exactly().random(),
    shape("qstash", "sig_", Alnum, 26).random(),
    shape("basecamp", "BAhbB", Base64, 80).alone(),
    shape("defined", "dnkey-", Word, 40),
    shape("mystic", "pipeline_sk_", Word, 28),
    shape("lightdash", "ldpat_", Alnum, 20),
    // Hashes of passwords that begin with a word.
    shape("password-hash", "pbkdf2_sha256$", Joined, 30),
    shape("password-hash", "pbkdf2_sha1$", Joined, 30),
    shape("password-hash", "pbkdf2:sha256:", Joined, 30),
    shape("password-hash", "pbkdf2:sha512:", Joined, 30),
    shape("password-hash", "scrypt:32768:", Joined, 40),
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
    "wifi",
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
    let formed = move |form: &[Part]| -> String {
        let part = |part: &Part| match *part {
            Run(alphabet, least, _) => fill(alphabet, least),
            Sign(sign) => sign.to_owned(),
        };
        form.iter().map(part).collect()
    };
    SHAPES.iter().map(move |shape| {
        let body = match shape.form {
            [] => fill(shape.alphabet, shape.least),
            form => formed(form),
        };
        (shape.rule, format!("{}{body}", shape.prefix))
    })
}
