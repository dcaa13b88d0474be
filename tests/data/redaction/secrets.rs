//! Fake secrets of current providers and forms, and what only looks like one.
//!
//! No secret is written here: a template says of what it is made, and a test fills it in. `{a36}` is 36 letters and digits,
//! `{h}` hexadecimal digits, `{u}` capitals and digits, `{l}` small letters and digits, `{w}` letters, digits, `-` and `_`,
//! `{b}` base64, `{d}` digits, `{uuid}` a UUID.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "who takes this file in needs a part of it"
)]

/// Keys that are told by their shape, wherever they stand.
#[rustfmt::skip]
pub const SHAPES: &[&str] = &[
    "AKIA{u16}", "ASIA{u16}", "ABSK{b100}", "AIza{w35}", "ya29.{w60}", "GOCSPX-{w28}", "1//0{w40}", "LTAI{a20}", "AKID{a32}", "AQVN{w36}", "y0_{w56}", "dop_v1_{h64}", "doo_v1_{h64}", "dor_v1_{h64}",
    "AVNS_{w20}", "v1.0-{h24}-{h140}", "cfut_{a40}", "cfat_{a40}", "HRKU-{uuid}", "fo1_{w43}", "fm2_{b120}", "nfp_{a40}", "nfc_{a40}", "rnd_{a32}", "vcp_{a28}", "vck_{a28}", "vca_{a28}", "sbp_{h40}", "sb_secret_{w31}",
    "napi_{l64}", "pscale_tkn_{w43}", "pscale_pw_{w43}", "pscale_oauth_{w43}", "mdb_sa_sk_{w40}", "CCDB1_{w60}", "essu_{a60}", "dapi{h32}", "dbtc_{w40}", "dbtu_{w40}", "tk-us-{w48}",
    "ghp_{a36}", "gho_{a36}", "ghu_{a36}", "ghs_{a36}", "ghr_{a36}", "github_pat_{a22}_{a59}", "glpat-{w20}", "gldt-{w20}", "glptt-{h40}", "glrt-{w20}", "glcbt-{a2}_{w20}", "glffct-{w20}", "glft-{w20}", "glimt-{w25}", "glwt-{w20}",
    "glagent-{w50}", "gloas-{h64}", "glsoat-{w20}", "GR1348941{w20}", "ATATT3{w180}", "ATCTT3{w180}", "ATBB{a32}", "ATTA{h64}", "sgp_{h16}_{h40}", "CCIPAT_{a22}_{h40}", "bkua_{h40}", "API-{u26}", "ovsxp_{uuid}",
    "sqp_{h40}", "squ_{h40}", "sqa_{h40}", "ico-{a32}", "snyk_uat.{h8}.{w64}", "perm-{b20}.{b20}.{b30}",
    "xoxb-{d12}-{d12}-{a24}", "xoxp-{d12}-{d12}-{d12}-{h32}", "xoxa-2-{a40}", "xoxe-1-{a100}", "xoxs-{d12}-{a40}", "xoxc-{d12}-{d12}-{h64}", "xoxd-{w120}", "xapp-1-A{u10}-{d13}-{h64}", "https://hooks.slack.com/services/T{u8}/B{u8}/{a24}",
    "https://discord.com/api/webhooks/{d18}/{w68}", "mfa.{w84}", "{d9}:AA{w33}", "MTA{a21}.G{a5}.{w38}", "https://hooks.zapier.com/hooks/catch/{d8}/{a12}/",
    "sk-ant-api03-{w93}AA", "sk-or-v1-{h64}", "sk-lf-{uuid}", "sk-proj-{w74}", "sk-svcacct-{w74}", "sk-admin-{w74}", "sk-{a48}", "hf_{a34}", "r8_{a37}", "gsk_{a52}", "xai-{a80}", "pplx-{a48}", "tgp_v1_{w43}", "csk-{l48}", "nvapi-{w64}",
    "tvly-{w32}", "fc-{h32}", "fw_{a24}", "jina_{a60}", "pa-{w43}", "llx-{a48}", "pcsk_{a6}_{a63}", "lsv2_pt_{h32}_{h10}", "lsv2_sk_{h32}_{h10}", "sk_{h48}", "rpa_{u43}", "esecret_{l26}", "key_{h64}", "ctx7sk-{uuid}", "apify_api_{a36}", "e2b_{h40}",
    "sk_live_{a24}", "sk_test_{a24}", "rk_live_{a24}", "rk_test_{a24}", "whsec_{b32}", "sq0atp-{w22}", "sq0csp-{w43}", "EAAA{w60}", "rzp_live_{a14}", "FLWSECK-{h32}-X", "access-production-{uuid}", "access-sandbox-{uuid}", "ck_{h40}", "cs_{h40}",
    "polar_oat_{a40}", "duffel_live_{w43}",
    "npm_{a36}", "pypi-AgEIcHlwaS5vcmc{w80}", "cio{a32}", "rubygems_{h48}", "dckr_pat_{w27}", "dckr_oat_{w32}", "CLOJARS_{h60}", "oy2{l43}", "AKCp{a69}", "cmVmdGtu{a56}",
    "SG.{w22}.{w43}", "xkeysib-{h64}-{a16}", "xsmtpsib-{h64}-{a16}", "key-{h32}", "{h32}-{h8}-{h8}", "{h32}-us12", "SK{h32}", "os_v2_app_{l100}", "sec-c-{b48}",
    "ops_eyJ{b250}", "A3-{u6}-{u6}-{u5}-{u5}-{u5}-{u5}", "AGE-SECRET-KEY-1{u58}", "aio_{a28}", "CFPAT-{w43}", "dp.pt.{a43}", "dp.st.prd.{a43}", "dp.ct.{a43}", "sl.{w140}", "dt0c01.{u24}.{u64}", "EZAK{a54}", "EZTK{a54}", "EAAM{a150}", "IGQV{w120}",
    "figd_{w40}", "fio-u-{w64}", "glsa_{a32}_{h8}", "glc_eyJ{b90}", "eyJrIjoi{b80}", "phx_{a43}", "phs_{a43}", "hcaik_{l58}", "pat-na1-{uuid}", "pat-eu1-{uuid}", "dG9rO{b55}", "sdk-{uuid}", "api-{uuid}", "mob-{uuid}", "lin_api_{a40}", "lin_oauth_{h64}",
    "lip_{a20}", "sk.eyJ{w80}.{w22}", "NRAK-{u27}", "NRII-{w32}", "{h36}NRAL", "ntn_{d11}{a35}", "secret_{a43}", "ddapp_{a34}", "sha256~{w43}", "ory_pat_{a32}", "PMAK-{h24}-{h34}", "pnu_{a36}", "pul-{h40}", "rdme_{l70}", "sntrys_{b100}",
    "sntryu_{h64}", "sm_pat_{a16}", "shippo_live_{h40}", "shpat_{h32}", "shpca_{h32}", "shppa_{h32}", "shpss_{h32}", "secret-live-{w36}", "tskey-auth-{a17}-{a32}", "tskey-client-{a17}-{a32}", "tr_dev_{a20}", "tfp_{w44}", "hvs.{w90}", "hvb.{w140}",
    "zpka_{a32}_{h8}", "signkey-prod-{h64}", "pat{a14}.{h64}", "2/{d16}/{d16}:{h32}", "1/{d16}:{h32}", "at_{a10}_{a60}", "pk_{d8}_{u32}", "{uuid}:fx", "AAAA{a7}:APA91b{w134}", "{a6}_{a29}_mmk", "{h10}msh{h22}jsn{h12}",
    "re_{a8}_{a24}", "00D{a12}!{w90}", "oauth:{l30}", "AAAAAAAAAAAAAAAAAAAAA{a22}%3D{a50}", "abc8Q~{w34}", "{a14}.atlasv1.{w67}", "{l76}AZDO{a4}", "eyJ{w30}.eyJ{w60}.{w43}",
    "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo{b200}", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{b400}", "MHcCAQEEI{b130}", "-----BEGIN EC PRIVATE KEY-----\\n{b64}\\n{b64}\\n-----END EC PRIVATE KEY-----",
    "da2-{a26}", "FwoGZXIvYXdz{b86}", "FQoGZXIvYXdz{b86}", "eyJwYXlsb2FkIjoi{b106}", "k8s-aws-v1.{w46}", "aws-k8s-v1.{w46}", "amzn1.oa2-cs.v1.{h46}", "amzn.mws.{uuid}", "Atzr|{a66}", "Atza|{a66}",
    "0.A{a206}", "1.A{a206}", "M.C5{a86}", "GOOG1E{u61}", "GOOG{u20}", "akab-{w39}", "SEC{h64}", "bce-v3/{a66}", "ALTAK{a27}", "AKLT{b46}", "JDC_{u26}", "t1.9eu{a106}", "vk1.a.{w66}", "SCW{u17}",
    "ucat_{a30}", "nbp_{a42}", "npg_{a12}", "xau_{a42}", "xdb_{a42}", "ddp_{a42}", "ddo_{a42}", "ddw_{a42}", "eyJ2MiI6{b46}", "eyJhIjoi{b146}", "K00{b28}", "tsec_{w46}", "CW-SECRET-{a46}",
    "pk1_{h66}", "sk1_{h66}", "standard_{h106}", "p.eyJ{a66}", "dkea{h38}", "AIK_{w36}", "private_{b28}", "pd_{a46}", "SWMTKN-1-{w46}", "SWMKEY-1-{b46}", "ptr_{b46}", "nsct_{w46}", "v1.{h40}",
    "ATSTT3{a66}", "ATOATT3{a66}", "bkaj_{w42}", "bkct_{w26}", "dsp_{h42}", "dsp_{a42}", "sktsec_{w36}", "endr+{a20}", "chpt_{a18}", "web_{h70}", "auto_{h70}", "LT_{a46}", "sgamp_{w46}", "slk_{h70}",
    "API-{u30}", "gitpod_pat_{a46}", "hooks.slack-gov.com/services/{b36}", "discord.com/api/v10/webhooks/{a66}", "discord.com/api/v9/webhooks/{a66}", "discord.com/api/v8/webhooks/{a66}",
    "hooks.zapier.com/hooks/standard/{a18}", "webhook.office.com/webhookb2/{a66}", "outlook.office.com/webhook/{a66}", "open.feishu.cn/open-apis/bot/v2/hook/{uuid}",
    "open.larksuite.com/open-apis/bot/v2/hook/{uuid}", "hook.eu1.make.com/{a26}", "hook.eu2.make.com/{a26}", "hook.us1.make.com/{a26}", "hook.us2.make.com/{a26}", "with/key/{w26}",
    "api.day.app/{a26}", "sctapi.ftqq.com/SCT{a26}", "private-{h38}", "alchemy.com/v2/{w26}", "alchemyapi.io/v2/{w26}", "infura.io/v3/{h38}", "infura.io/ws/v3/{h38}", "quiknode.pro/{h38}",
    "core.chainstack.com/{h38}", "rpc.ankr.com/eth/{h38}", "syt_{w30}", "KakaoAK {h38}", "AT_{a32}", "tk_{a29}", "ek_{h38}", "crsr_{h46}", "m0-{a42}", "ak-{a22}", "luma-{uuid}", "rc_{h66}",
    "cpk_{a66}", "BSA{w27}", "BSA{w28}", "hb_{h34}", "bu_{w46}", "ste-{w56}", "bt-st-{a42}", "hl_sk_{h46}", "pylf_v1_{w36}", "pylf_v2_{w36}", "ls__{h38}", "KGAT_{h38}", "sk_car_{w26}", "key_{h28}",
    "sk-let-{b46}", "ck-{a43}", "tpuf_{a36}", "nk-{w43}", "con-{h66}", "cr-{h56}", "apk_user_{b46}", "wk-1.{h66}", "fk-{w46}", "aph0_{w46}", "sk-{h38}", "access_token$sandbox${a46}",
    "access_token$production${a46}", "live_{a30}", "test_{a30}", "live_{a38}", "test_{a38}", "live_{h35}", "test_{h35}", "live_{w40}", "pdl_live_{w36}", "pdl_sdbx_{w36}", "pdl_ntfset_{w36}",
    "APP_USR-{w42}", "klarna_live_{a46}", "klarna_test_{a46}", "sq0csb-{w46}", "shptka_{h34}", "shpua_{h34}", "sk_sbox_{w30}", "bxt_{a46}", "Mid-server-{w26}", "xnd_production_{w36}",
    "xnd_development_{w36}", "skey_{a19}", "skey_test_{a22}", "ak_live_{a30}", "ak_test_{a30}", "aact_prod_{b46}", "aact_hmlg_{b46}", "Client_Secret_{h42}", "prv_prod_{a30}", "prv_test_{a30}",
    "sup_sk_{a36}", "cfsk_ma_{w36}", "sk_{h32}", "sk_{a34}", "sk_dev_{w36}", "sk_prod_{w46}", "sk_production_{a46}", "sk_staging_{a46}", "PRD-{uuid}", "PRD-{uuid}", "SBX-{uuid}", "mlsn.{h54}",
    "md-{w22}", "pk_{h34}", "pk_prod_{a32}", "Zoho-enczapikey {a46}", "Zoho-oauthtoken {a46}", "v1.local.{a46}", "v2.local.{a46}", "v3.local.{a46}", "v4.local.{a46}", "v1.public.{a46}",
    "v2.public.{a46}", "v3.public.{a46}", "v4.public.{a46}", "k1.{a46}", "k2.{a46}", "k3.{a46}", "k4.{a46}", "SFMyNTY.{a46}", "AGE-SECRET-KEY-PQ-1{u46}", "AGE-PLUGIN-YUBIKEY-1{u26}", "RWRTY0Iy{b106}",
    "RWRCSwAA{b106}", "nsec1{a64}", "ncryptsec1{a86}", "edsk{a56}", "edesk{a86}", "spsk{a50}", "p2sk{a50}", "yprv{a106}", "zprv{a106}", "tprv{a106}", "uprv{a106}", "vprv{a106}", "ed25519_sk1{a56}",
    "ed25519e_sk1{a86}", "root_xsk1{a106}", "acct_xsk1{a106}", "addr_xsk1{a106}", "suiprivkey1{a56}", "ed25519-priv-0x{h66}", "secp256k1-priv-0x{h66}", "ed25519:{a86}", "PVT_K1_{a51}", "PVT_R1_{a51}",
    "secret-extended-key-main1{a106}", "AgEDbG5k{b66}", "dls_{a66}", "st.{h26}", "eyJhbGciOiJBMjU2R0NNIiwi{a106}", "pdus+{w26}", "pdeu+{w26}", "xaat-{uuid}", "xapt-{uuid}", "xait-{uuid}", "cu_{h38}",
    "NRRA-{h48}", "NRSP-{w36}", "sntrya_{h36}", "sntryi_{h36}", "dt0s01.{a66}", "dt0s02.{a66}", "dt0s08.{a66}", "dt0e01.{a46}", "hcalk_{a46}", "hcblk_{a46}", "hcxik_{a46}", "hcxlk_{a46}",
    "secret-{a46}", "console-{a46}", "configcat-sdk-1/{a46}", "ser.{a22}", "secret_admin_{b26}", "secret_readonly_{b26}", "secret_user_{b36}", "dvc_server_{w36}", "pat-na3-{uuid}", "pat-ap1-{uuid}",
    "figu_{w42}", "figoh_{w36}", "figor_{w36}", "figur_{w36}", "cnvca{w36}", "bpk-{h38}", "retool_01{a28}", "n8n_api_{a42}", "cal_live_{h34}", "cal_test_{h34}", "cal_{h38}", "tly-{a38}", "AAPK{w66}",
    "AAPT{w66}", "AATK{w66}", "RGAPI-{uuid}", "WARNING:-DO-NOT-SHARE-THIS.{a106}", "mrp_{a56}", "tss_{a46}", "THAA{a86}", "THQW{a86}", "act.{a56}", "AQV{w206}", "WPL_AP1.{a26}", "pina_{a56}",
    "permit_key_{a46}", "NNSXS.{a56}", "p8e-{a32}", "ion_{a42}", "persona_production_{uuid}", "persona_sandbox_{uuid}", "rootly_{h66}", "samsara_api_{a34}", "waka_{uuid}", "b10ck5.{a46}",
    "vtwn_{a26}", "dyn_{a56}", "mint_{a28}", "gb_api_{a42}", "seam_{w34}", "dstok_{w36}", "hxtp_{h66}", "hxtw_{h66}", "mb_{b44}", "sig_{a32}", "BAhbB{b86}", "dnkey-{w46}", "pipeline_sk_{w34}",
    "ldpat_{a26}", "token-{l5}:{l54}", "kubeconfig-u-{l10}:{l54}", "K10{h64}::server:{h32}", "pat.{w22}.{h24}.{a20}", "sat.{w22}.{h24}.{a20}", "mat_{a30}_{a6}", "TEST-{d16}-{d6}-{h32}-{d9}",
    "AQE{a60}-{a43}=-{a16}", "0.{uuid}.{a30}:{a22}==", "MLY|{d16}|{h32}", "AstraCS:{a24}:{h64}", "{a52}JQQJ99BAAC{a14}AAAB{a4}", "access_token$production${l16}${h32}", "/bot{d10}:AA{w33}/getMe",
    "$apr1${a8}${a22}", "$1${a8}${a22}", "$5${a16}${a43}", "$5$rounds=10000${a16}${a43}", "$6${a16}${a86}", "$y$j9T${a22}${a43}", "$2b$12${a53}", "$2y$10${a53}", "$argon2id$v=19$m=65536,t=3,p=4${a22}${a43}",
    "$scrypt$ln=16,r=8,p=1${a22}${a43}", "$pbkdf2-sha256$29000${a22}${a43}", "pbkdf2_sha256$600000${a22}${b43}=", "$P$B{a30}", "$8${a14}${a43}", "$9${a14}${a43}", "{SSHA}{b32}", "{SHA512}{b88}", "{SSHA512}{b90}",
    "$ANSIBLE_VAULT;1.1;AES256\n{h80}\n{h80}", "WIFI:T:WPA;S:Home;P:{a16};;", "accounts: ['0x{h64}']", "ethers.Wallet('0x{h64}', provider)", "(3) 0x{h64}",
    "{a42}+ACR{a6}", "{a76}+ASt{a6}==", "{a33}+ASb{a6}=", "{a33}+AEh{a6}=",
];

/// Places for a secret that needs no name: where the secret stands, and what around it.
#[rustfmt::skip]
pub const PLACES: &[&str] = &[
    "run --with \"$\" --verbose", "{\"status\": \"ok\", \"data\": \"$\", \"n\": 3}", "config:\n  first: $\n  second: 2\n", "FIRST=1\nSECOND=$\nTHIRD=x\n", "[section]\nitem = \"$\"\n", "open https://example.com/a?x=1&y=$ now",
    "X-Custom-Thing: $\r\n", "let x = call(\"$\", 3);", "const y = `$`;", "id,thing,note\n7,$,none\n", "2026-11-20T10:00:00Z INFO start got $ from peer", "He pasted $ into the chat.",
];

/// Telling names, and the values behind them.
#[rustfmt::skip]
pub const NAMES: &[&str] = &[
    "password", "PASSWORD", "passwd", "pwd", "db_password", "DB_PASSWORD", "dbPassword", "user-password", "smtp_pass", "SMTP_PASS", "dbPass", "passphrase", "passcode", "admin_pw", "psk", "wifi_psk", "PASSWORD2", "DB_PASSWORD_PROD", "passwordConfirm", "Passwort",
    "kennwort", "contrasena", "senha", "mdp", "wachtwoord", "haslo", "secret", "SECRET", "client_secret", "clientSecret", "CLIENT-SECRET", "app_secret", "secret_id", "token", "TOKEN", "access_token", "accessToken", "refresh-token", "api_token", "id_token", "auth_token",
    "GITHUB_TOKEN", "bot_token", "api_key", "API_KEY", "apiKey", "x-api-key", "apikey", "access_key", "secret_key", "SECRET_KEY", "secretKey", "private_key", "encryption_key", "signing_key", "master_key", "account_key", "JWT_KEY", "JWT_SECRET", "ADMIN_KEY", "MEILI_MASTER_KEY",
    "app_key", "application_key", "unseal_key", "session_key", "subscription-key", "license_key", "deploy_key", "hmac_key", "shared_key", "consumer_secret", "consumer_key", "storage_key", "webhook_secret", "cookie_secret", "NEXTAUTH_SECRET", "AUTH_SECRET", "aws_secret_access_key",
    "AWS_SECRET_ACCESS_KEY", "SecretAccessKey", "aws_session_token", "SENTRY_AUTH_TOKEN", "NPM_TOKEN", "AZURE_CLIENT_SECRET", "TWILIO_AUTH_TOKEN", "DATADOG_API_KEY", "DD_APPLICATION_KEY", "ALGOLIA_ADMIN_KEY", "SECRET_KEY_BASE", "RAILS_MASTER_KEY", "spring.datasource.password",
    "sonar.token", "django_secret_key", "ftp_password", "root_password", "REDIS_PASSWORD", "PGPASSWORD", "MYSQL_ROOT_PASSWORD", "bind_pw",
    "dbpass", "DBPASS", "MYSQLPASS", "userpass", "smtppw", "OTP_SEED", "totpSeed", "STRIPE_KEY", "openaiKey", "FERNET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "REDIS_AUTH", "SecretString",
    "HASŁO", "LÖSENORD", "API密钥", "令牌", "токен", "ключ API", "APIキー", "API-Schlüssel", "clé API", "clave de API", "Geheimnis", "API 키",
];

/// Places for a name and a secret behind it: `@` and `$`.
#[rustfmt::skip]
pub const NAMED_PLACES: &[&str] = &[
    "run --@ $ --verbose", "run --@=$", "{\"user\": \"bob\", \"@\": \"$\"}", "{\\\"user\\\": \\\"bob\\\", \\\"@\\\": \\\"$\\\"}", "service:\n  @: $\n  port: 80\n", "service:\n  @: \"$\"\n", "export @=$\n", "@='$'\n", "[db]\n@ = \"$\"\n", "@: \"$\",",
    "https://example.com/cb?x=1&@=$&y=2", "@: $\r\n", "const @ = \"$\";", "config[\"@\"] = \"$\"", "os.environ['@'] = '$'", "user,@,note\nbob,$,none\n", "| user | @ |\n|------|------|\n| bob | $ |\n", "2026-11-20T10:00:00Z DEBUG login ok user=bob @=$ ip=10.0.0.1",
    "the @ is $ for now", "<@>$</@>", "new Client({ @: '$' })",
];

/// Forms in which programs, languages and files have a secret; `$` stands for it.
#[rustfmt::skip]
pub const FORMS: &[&str] = &[
    "mysql -u root -p$ shop", "mysql -uroot -p'$' shop < dump.sql", "mysqldump -h db -p\"$\" shop > x.sql", "mariadb -p$ shop", "PGPASSWORD=$ psql -h db shop", "redis-cli -h cache -a $ PING", "redis-cli -a '$' --no-auth-warning", "mongosh -u bob -p $ mongodb.example.com", "mongodump --username bob -p$",
    "mongo --password $ db", "docker login -u bob -p $ registry.example.com", "podman login --username bob --password $ quay.io", "echo $ | docker login -u bob --password-stdin", "curl -u bob:$ https://example.com", "curl -sSubob:$ https://example.com/x", "curl --user 'bob:$' https://example.com",
    "curl -b \"sessionid=$; theme=dark\" https://example.com", "curl --cookie sid=$ https://example.com", "wget --user=bob --password=$ https://example.com", "wget --http-password $ https://example.com", "openssl rsa -passin pass:$ -in k.pem", "openssl enc -aes-256-cbc -pass pass:$ -in a",
    "openssl pkcs12 -export -passout pass:$ -out a.p12", "htpasswd -b .htpasswd bob $", "htpasswd -nbB bob $", "htpasswd -bc users bob '$'", "ldapsearch -x -D cn=admin -w $ -b dc=example", "ldapadd -D cn=admin -w '$' -f a.ldif", "smbclient -U bob%$ //host/share", "rpcclient -U 'bob%$' host",
    "keytool -list -storepass $ -keystore k.jks", "keytool -genkey -keypass $ -alias a", "jarsigner -storepass $ -keypass x a.jar b", "apksigner sign --ks-pass pass:$ a.apk", "twine upload -u bob -p $ dist/*", "vault login $", "vault operator unseal $", "ngrok authtoken $", "ngrok config add-authtoken $",
    "aws configure set aws_secret_access_key $", "npm config set //registry.example.com/:_authToken $", "npm config set //registry.example.com/:_authToken=$", "//registry.example.com/:_authToken=$", "git config user.password $", "git config --global http.extraHeader \"Authorization: Bearer $\"",
    "git -c http.extraheader='AUTHORIZATION: basic $' fetch", "poetry config http-basic.private bob $", "poetry config pypi-token.pypi $", "aws secretsmanager create-secret --name x --secret-string '$'", "aws ssm put-parameter --name x --type SecureString --value $", "az keyvault secret set --name x --value $",
    "gh secret set NAME --body $", "gh secret set NAME -b\"$\"", "sshpass -p $ ssh bob@host", "sshpass -p'$' ssh bob@host", "7z x -p$ a.7z", "zip -P $ -r a.zip dir", "unzip -P $ a.zip", "unrar x -p$ a.rar", "gpg --batch --passphrase $ -d a.gpg", "az login --service-principal -u app -p $ --tenant t",
    "az login -u bob --password $", "helm registry login -u bob -p $ ghcr.io", "helm repo add x https://example.com --username bob --password $", "kubectl create secret generic db --from-literal=password=$", "kubectl create secret generic db --from-literal=x=$", "kubectl create secret docker-registry r --docker-password=$",
    "echo $ | sudo -S apt update", "echo '$' | sudo -S -k true", "echo \"root:$\" | chpasswd", "echo bob:$ | sudo chpasswd", "printf '%s' '$' | docker login --password-stdin", "echo $ | pass insert -e x", "echo $ | wrangler secret put X", "echo -n $ | gcloud secrets create x --data-file=-", "echo -n '$' | gh secret set X",
    "echo $ | passwd --stdin bob", "sudo -S ls <<< $", "kinit bob <<< '$'", "psql postgres://app:$@db:5432/shop", "postgresql://app:a/b$@db/shop", "psql postgres://app:ab#$@db:5432/shop", "mongodb+srv://bob:$@cluster0.example.net/x", "amqp://guest:$@mq:5672/", "redis://:$@cache:6379/0", "rediss://default:$@cache:6380",
    "mysql://root:x@$@db/shop", "https://bob:$@example.com/repo.git", "ftp://bob:$@ftp.example.com/", "smtp://user:$@mail.example.com:587", "sftp://bob:$@host/x", "https://$@github.com/dev/shop.git", "jdbc:postgresql://db/shop?user=bob&password=$", "https://example.com/x?access_token=$", "https://example.com/x?key=$&x=1",
    "https://example.com/cb?code=$&state=1", "https://example.com/x?sig=$", "https://a.blob.core.windows.net/x?sv=2024-01-01&sig=$&se=2026", "https://b.s3.amazonaws.com/x?X-Amz-Expires=60&X-Amz-Signature=$", "https://example.com/x?client_secret=$", "https://example.com/x?token=$#top",
    "Authorization: Bearer $", "authorization: token $", "Authorization: Basic $", "\"Authorization\": \"Bearer $\"", "Proxy-Authorization: Basic $", "curl -H 'Authorization: Bearer $' x", "curl -H \"X-Api-Key: $\" x", "Cookie: session=$; theme=dark", "Set-Cookie: sid=$; Path=/; HttpOnly", "X-Vault-Token: $", "PRIVATE-TOKEN: $",
    "DD-API-KEY: $", "X-Auth-Token: $", "Ocp-Apim-Subscription-Key: $", "define('DB_PASSWORD', '$');", "define(\"AUTH_KEY\", \"$\");", "getenv(\"API_KEY\") ?: \"$\"", "os.getenv(\"API_KEY\", \"$\")", "os.environ.get('DB_PASSWORD', '$')", "process.env.API_KEY || \"$\"", "process.env.DB_PASSWORD ?? '$'",
    "ENV.fetch('API_TOKEN', '$')", "ENV['API_TOKEN'] || '$'", "env('APP_KEY', '$')", "std::env::var(\"API_TOKEN\").unwrap_or(\"$\".into())", "System.getProperty(\"db.password\", \"$\")", "os.Setenv(\"API_TOKEN\", \"$\")", "putenv(\"API_TOKEN=$\")", "headers.set('X-Api-Key', '$')", "setx API_TOKEN $",
    "set -x API_TOKEN $", "setenv API_TOKEN $", "ENV API_TOKEN $", "$env:API_TOKEN = \"$\"", "ALTER USER bob IDENTIFIED BY '$';", "create user bob identified by '$';", "CREATE ROLE app LOGIN PASSWORD '$';", "alter role app with password '$';", "ALTER USER app WITH ENCRYPTED PASSWORD '$'", "SET PASSWORD FOR 'bob' = '$';",
    "SET password = '$'", "<password>$</password>", "<add key=\"ApiKey\" value=\"$\" />", "<server password=\"$\" />", "Server=db;User Id=sa;Password=$;", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=$;EndpointSuffix=core.windows.net", "Endpoint=sb://x/;SharedAccessKeyName=y;SharedAccessKey=$",
    "db.password=$", "password = $", "- name: DB_PASSWORD\n  value: $\n", "{\"name\": \"API_TOKEN\", \"value\": \"$\"}", "machine example.com login bob password $", "machine example.com\n  login bob\n  password $\n", "requirepass $", "masterauth $", "Unseal Key 1: $", "Enter passphrase for key '/home/bob/.ssh/id_rsa': $",
    "Password for bob: $", "[sudo] password for bob: $", "Passwort: $", "contraseña: $", "mot de passe : $", "пароль: $", "密码：$", "パスワード: $", "The password is $.", "the API key is $", "Password: $ (change it)", "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"abc\",\"d\":\"$\"}", "hashed with salt=$",
    "net user bob $ /add", "nmcli dev wifi connect home password $", "wpa_passphrase home $", "rabbitmqctl add_user bob $", "plink -pw $ bob@host", "bw unlock $", "snmpwalk -v3 -A $ host", "sqlcmd -S db -U sa -P $ -Q x", "lftp -u bob,$ ftp.example.com", "xfreerdp /u:bob /p:$ /v:host", "ipmitool -H h -U a -P $ chassis status",
    "mosquitto_pub -h mq -u bob -P $ -t x", "terraform apply -var 'db_password=$'", "mvn deploy -Drepo.password=$", "java -Djavax.net.ssl.keyStorePassword=$ -jar x.jar", "ansible-playbook -e 'ansible_become_pass=$' x.yml", "mount -t cifs //h/s /m -o username=bob,password=$", "sonar-scanner -Dsonar.token=$",
    "skopeo copy --src-creds bob:$ a b", "dotnet nuget push a.nupkg -k $", "http -a bob:$ example.com", "oc login -u bob -p $", "cf auth bob $", "user,password\nbob,$\n", "id;name;token\n1;x;$\n", " user | password \n------+----------\n bob  | $\n", "+------+----------+\n| user | password |\n+------+----------+\n| bob  | $ |\n",
];

/// Values for the named places and the forms.
#[rustfmt::skip]
pub const VALUES: &[&str] = &["{a24}", "{h32}", "{a12}!{a6}", "{b40}"];

/// What only looks like a secret.
#[rustfmt::skip]
pub const LOOK_ALIKES: &[&str] = &[
    "API_KEY=your-api-key-here", "API_KEY=<your-api-key>", "API_KEY=YOUR_API_KEY", "api_key: \"YOUR_API_KEY_HERE\"", "PASSWORD=changeme", "password: changeme", "DB_PASSWORD=change-me", "PASSWORD=password", "password = \"password\"", "SECRET=xxxxxxxxxxxxxxxx", "token: XXXXXXXX-XXXX", "token=xxxx",
    "export TOKEN=$GITHUB_TOKEN;", "export TOKEN=$X;", "export TOKEN=${GITHUB_TOKEN}; run", "TOKEN=$(cat /run/secrets/token)", "TOKEN=`cat token`", "password: ${DB_PASSWORD}", "password: {{ .Values.password }}", "password: \"{{ vault_password }}\"", "apiKey: process.env.API_KEY", "apiKey: process.env.API_KEY,", "token: import.meta.env.VITE_TOKEN",
    "password: os.environ['DB_PASSWORD']", "secret = ENV['SECRET']", "secret = ENV.fetch('SECRET')", "token: ${{ secrets.GITHUB_TOKEN }}", "TOKEN=%TOKEN%", "$env:TOKEN", "password=$PASSWORD", "password=\"$PASSWORD\"", "{\"password\": \"Passwort\"}", "{\"password\": \"Mot de passe\"}", "{\"password\": \"Contraseña\"}", "{\"password\": \"Password\"}",
    "\"password\": \"Passwort\",", "\"forgot_password\": \"Forgot password?\"", "\"token\": \"Token\"", "\"enter_password\": \"Enter your password\"", "\"confirm_password\": \"Confirm password\"", "{\"login.password\": \"Пароль\"}", "{\"password\": \"パスワード\"}", "password: 12:34", "password: 2026-11-20", "token: true", "token: false", "password: null", "secret: none",
    "token: undefined", "password: nil", "password: string;", "token?: string | null", "password: &str", "token: Option<String>", "password: String,", "secret: Vec<u8>", "api_key: str = None", "token = get_token()", "token = self.next_token()", "const token = await getToken();", "password = input(\"Password: \")", "secret := os.Getenv(\"SECRET\")",
    "let secret = Secret::new(&bytes);", "password = getpass.getpass()", "token := r.Header.Get(\"X-Token\")", "api_key = config.get(\"api_key\")", "password = config['password']", "token = tokens[0]", "if token == expected {", "if (password !== confirm) {", "id: 5b48472b-1111-4222-8333-444455556666", "request_id=5b48472b-1111-4222-8333-444455556666",
    "session: 5b48472b-1111-4222-8333-444455556666", "commit 3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e", "git show 3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e", "sha256:3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d2465", "\"integrity\": \"sha512-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3X4y5Z6==\"", "etag: \"3f8a1c9e0b7d2465\"",
    "checksum = \"3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d2465\"", "md5: d41d8cd98f00b204e9800998ecf8427e", "image@sha256:3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d2465", "cache_key: 3f8a1c9e0b7d24653f8a1c9e", "primary_key: id", "foreign_key: user_id", "public_key: ssh-ed25519", "sort_key = created_at", "partition_key: tenant",
    "key: value", "\"key\": \"3f8a1c9e0b7d2465\"", "?key=value", "?code=404", "?code=US&lang=en", "?page=2&sort=name", "https://example.com/x?id=123456", "https://example.com:8080/@scope/name", "git@github.com:dev/shop.git", "ssh://git@github.com/dev/shop.git", "https://user:password@example.com", "postgres://user:pass@localhost/db", "postgres://${USER}:${PASS}@db/x",
    "postgres://user:<password>@host/x", "redis://localhost:6379", "http://localhost:3000/a:b@c", "mailto:bob@example.com", "docker run -p 8080:80 nginx", "docker run -p 127.0.0.1:80:80 x", "mkdir -p a1b2c3d4e5f6", "ssh -p 2222 bob@host", "cp -a /srv/a1b2c3 /srv/b", "grep -w token1 file", "curl -b cookies.txt https://example.com", "curl -u $USER:$PASS x", "curl -u bob https://example.com",
    "tar -P -xf a.tar", "rsync -a src1 dst2", "ps -u bob", "sort -u a1.txt", "mysql -p shop", "mysql -u root -p", "mysql -P 3306 shop", "psql -p 5432 shop", "nmap -p 80,443 host", "curl -sSf https://example.com/x", "echo hello1 | grep h", "echo v1.2.3 | sudo tee /etc/version", "openssl rsa -passin env:PASS -in k", "openssl rand -hex 32", "vault login -method=oidc", "vault login",
    "git config user.name Bob1", "git config user.email bob@example.com", "npm config set registry https://registry.example.com", "aws configure set region eu-west-1", "kubectl get secret db -o yaml", "kubectl create secret generic db --from-file=a", "gh secret list", "docker login ghcr.io", "sudo -S true", "the password reset page works", "enter your password to continue", "the token bucket is full",
    "password must be at least 12 characters", "Passwords do not match", "invalid token at line 12", "unexpected token '}' in JSON", "token count: 4096", "max_tokens: 4096", "input_tokens=1050", "tokens: 12", "token_type: bearer", "token_url: https://example.com/oauth/token", "password_policy: strict", "passwordField.focus()", "secretary: alice99", "author: bob12345", "keyboard: qwerty1234",
    "auth: none", "auth: basic", "authorization: req.headers.authorization", "Authorization: Bearer $TOKEN", "Authorization: Bearer <token>", "Authorization: Bearer {token}", "-H 'Authorization: Bearer YOUR_TOKEN'", "Cookie: theme=dark; lang=en", "Set-Cookie: lang=en; Path=/", "document.cookie = name + '=' + value", "credentials: 'include'", "credentials: same-origin",
    "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----", "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM=", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7VJTUt9Us8cKjMzEfYyjiWA4R4", "It begins with -----BEGIN RSA PRIVATE KEY-----.",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4", "sk-learn", "sk-estimator-doc-link", "task-list-0123456789abcdef", "risk-3f8a1c9e0b7d2465", "disk-usage-report", "pk_test", "re_export_everything_from_here", "pat-terns", "xoxo", "hf_hub_download", "npm_config_registry", "npm_lifecycle_event", "ghp_xxxxxxxxxxxxxxxxxxxx", "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-...", "API_KEY=sk-...", "AKIA...", "token: abc...", "hvs.xxx", "glpat-xxxxxxxxxxxxxxxxxxxx", "sk_live_...", "AIza...", "SG.xxxx", "secret_manager_client_factory", "secrets/my-secret/versions/1", "projects/12/secrets/db/versions/latest", "password: /run/secrets/db_password", "password_file: /run/secrets/db", "--password-file /run/secrets/db", "--token-file=/run/token",
    "API_KEY_FILE=/run/secrets/key", "PWD=/home/dev/shop1", "OLDPWD=/home/dev/shop2", "HISTFILE=/home/dev/.history1", "COMMIT_SHA=3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e", "BUILD_ID=20261120.1", "VERSION=1.2.3-rc.4", "DATABASE_URL=postgres://localhost:5432/shop", "NODE_ENV=production", "PASSWORD_MIN_LENGTH=12", "TOKEN_EXPIRY=3600", "SESSION_TIMEOUT=30m",
    "password varchar(255) NOT NULL", "token uint64", "password text", "secret_key BYTEA", "password TEXT NOT NULL DEFAULT ''", "INSERT INTO users (name, password) VALUES (?, ?)", "SELECT password FROM users", "WHERE token = ?", "WHERE token = $1", "IDENTIFIED BY ?", "user,password\n", "name,email,age\nbob,b@x.org,12\n", "| Option | Default |\n|---|---|\n| password | none |\n",
    "fillable = ['name', 'email', 'password']", "[\"password\", \"token\", \"secret\"]", "print(\"Token: \" + token)", "log(\"password: \", len(password))", "assert_eq!(token, \"a\")", "def login(user, password=None, token=token):", "login(user=user, password=password)", "<input type=\"password\" name=\"password\">", "<label for=\"password\">Password</label>", "#password-field { color: red }",
    "const f = token => token.kind", "tokens.map((token) => token + 1)", "type Token = string;", "enum Token { Plus, Minus }", "Token::Ident(name)", "lexer.token.value", "KeyCode.ENTER", "event.key === 'Enter'", "Object.keys(secret)", "delete process.env.TOKEN", "unset GITHUB_TOKEN", "TOKEN= run", "TOKEN=\"\"", "password: ''", "password:", "PASSWORD=",
    "\"jsonwebtoken\": \"^9.0.2\",", "\"token\": \"^3.1.0\"", "argon2-password = \"0.5.3\"", "\"csrf-token\": \">=2.1.0\"", "arn:aws:secretsmanager:us-west-2:123456789012:secret:prod/db-a1b2c3",
    "\"encryptionKey\": \"arn:aws:kms:us-west-2:111122223333:key/a1b2c3d4-5678-90ab-cdef-123456789012\"", "\"AWS::SecretsManager::Secret\": \"c85175a4ebcce361\",", "PublicKeyToken=b77a5c561934e089",
    "\"publicKeyToken\": \"b03f5f7f11d50a3a\"", "git config --global user.signingkey 3AA5C34371567BD2", "--client-token 550e8400-e29b-41d4-a716-446655440000", "\"NextToken\": \"eyJ2IjoxLCJzIjoxLCJpIjoibEhXdlNpUXF5RzhoL1JyUW52\"",
    "\"next_page_token\":\"CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA\"", "\"continuationToken\": \"1!48!MDAwMDA5IXRlc3QudHh0\"", "AKIAIOSFODNN7EXAMPLE", "\"apiKey\": \"API-Schlüssel\",", "pk_live_51cMWS7ENRjEbK2aBZseOGgrHQG7BHqofVB5Z",
    "compass=a1b2c3d4e5", "bypass: x1y2z3", "renderpass=pass1a2b3c", "test_getBlobClientFromConnectionString", "private_key_to_address_mapping", "token-12345678901234567890.svg", "v1.2.3", "0.5341234123", "as-a-service",
    "s/(a)(b)/$1$2/", "$1$2$3", "echo $1$HOME/bin", "cost is $6$", "(1) 0x1f", "[12,34,56]", "WIFI: connected", "accounts: [1, 2]", "d: 12, p: 3", "{SHA}", "hash: 3f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d24653f8a1c9e0b7d2465",
];
