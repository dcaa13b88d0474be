//! Lists the programs that take a secret as an argument or from their standard input: after which
//! option, and in which form.
//!
//! `docs/redaction.md` lists the same programs, and a test compares the page with the tables.
//! `scan` reads the arguments.

/// The form in which an option takes its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionForm {
    /// As a separate word, or after `=`.
    Apart,
    /// In the same word, right after the option's letter.
    Attached,
    /// In either of the two forms, [`Self::Apart`] or [`Self::Attached`].
    Either,
    /// `user:secret`.
    Pair,
    /// `user%secret`.
    Percent,
    /// `user,secret`.
    Comma,
    /// `pass:secret`.
    Pass,
    /// `name=secret`.
    Assignment,
    /// The pairs of a cookie.
    Cookie,
}

use OptionForm::{Apart, Assignment, Attached, Comma, Cookie, Either, Pair, Pass, Percent};

/// Programs with the same options, and their options that take a secret.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) names: &'static [&'static str],
    /// A word that must precede the options, such as `login`. Without it the options mean something
    /// else.
    pub(super) only_after: Option<&'static str>,
    pub(super) options: &'static [(&'static str, OptionForm)],
    /// True if `NAME value` among the arguments sets a name to a value.
    pub(super) sets: bool,
}

const fn program(
    names: &'static [&'static str],
    options: &'static [(&'static str, OptionForm)],
) -> Program {
    Program {
        names,
        only_after: None,
        options,
        sets: false,
    }
}

const fn after(
    names: &'static [&'static str],
    word: &'static str,
    options: &'static [(&'static str, OptionForm)],
) -> Program {
    Program {
        names,
        only_after: Some(word),
        options,
        sets: false,
    }
}

const fn sets(
    names: &'static [&'static str],
    word: Option<&'static str>,
    options: &'static [(&'static str, OptionForm)],
) -> Program {
    Program {
        names,
        only_after: word,
        options,
        sets: true,
    }
}

#[rustfmt::skip]
pub(super) const PROGRAMS: &[Program] = &[
    // Databases.
    program(&["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mysqlshow", "mysqlpump", "mysqlbinlog", "mysqlslap",
        "mysqlsh", "mariadb", "mariadb-dump", "mariadb-admin", "mariadb-import", "mysql_upgrade", "xtrabackup", "mariabackup", "innobackupex"],
        &[("-p", Attached)]),
    program(&["mycli", "mydumper", "myloader", "cqlsh", "cbq", "influxd", "neo4j-admin", "cypher-shell", "orientdb", "arangosh"],
        &[("-p", Either)]),
    program(&["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop", "mongofiles"],
        &[("-p", Either)]),
    sets(&["redis-cli", "valkey-cli", "keydb-cli"], None, &[("-a", Apart)]),
    program(&["sqlcmd", "bcp", "osql", "tsql", "mssql-cli", "isql-fb"], &[("-P", Either)]),
    program(&["vsql", "nodetool"], &[("-w", Either), ("-pw", Apart)]),
    program(&["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami", "ldapcompare", "ldapmodrdn", "ldapexop"],
        &[("-w", Either), ("-s", Apart), ("-a", Apart)]),
    // The web.
    program(&["curl", "curlie"], &[("-u", Pair), ("--user", Pair), ("-U", Pair), ("--proxy-user", Pair), ("-b", Cookie), ("--cookie", Cookie),
        ("--oauth2-bearer", Apart), ("--pass", Apart), ("--proxy-pass", Apart)]),
    program(&["http", "https", "xh", "xhs"], &[("-a", Pair), ("--auth", Pair)]),
    program(&["wget", "wget2"], &[("--user", Pair)]),
    program(&["lftp", "ncftp"], &[("-u", Comma)]),
    program(&["ncftpput", "ncftpget", "ncftpls"], &[("-p", Apart)]),
    program(&["yt-dlp", "youtube-dl"], &[("-p", Apart)]),
    program(&["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"], &[("-P", Apart)]),
    program(&["ab", "siege", "wrk"], &[("-A", Pair), ("-P", Pair)]),
    // Registries and containers.
    after(&["docker", "podman", "nerdctl", "buildah", "oras", "crane", "regctl", "helm", "cosign", "singularity", "apptainer", "docker.exe"],
        "login", &[("-p", Either)]),
    program(&["skopeo"], &[("-p", Either), ("--creds", Pair), ("--src-creds", Pair), ("--dest-creds", Pair)]),
    program(&["ctr"], &[("-u", Pair), ("--user", Pair)]),
    program(&["kubectl", "microk8s", "kubeseal"], &[("--from-literal", Assignment)]),
    after(&["oc", "cf", "argocd", "rancher", "ibmcloud", "bluemix"], "login", &[("-p", Either), ("--from-literal", Assignment)]),
    program(&["twine", "poetry-publish"], &[("-p", Apart)]),
    sets(&["poetry", "pdm"], Some("publish"), &[("-p", Apart)]),
    after(&["hatch"], "publish", &[("-a", Apart)]),
    program(&["dotnet", "nuget"], &[("-k", Apart), ("-ApiKey", Apart)]),
    program(&["surge", "codecov", "coveralls", "gitlab-runner"], &[("-t", Apart), ("-r", Apart)]),
    // Clouds.
    sets(&["aws", "awslocal"], None, &[("--secret-string", Apart), ("--value", Apart), ("--secret", Apart)]),
    sets(&["az"], Some("login"), &[("-p", Apart), ("--value", Apart)]),
    sets(&["gcloud", "heroku", "fly", "flyctl", "doppler", "firebase", "supabase", "railway", "infisical", "chamber"], None, &[("--value", Apart)]),
    program(&["vercel", "now", "netlify"], &[("-t", Apart), ("--auth", Apart)]),
    program(&["doctl"], &[("-t", Apart)]),
    after(&["gh", "hub"], "secret", &[("--body", Apart), ("-b", Either)]),
    program(&["eas", "op", "glab"], &[("--value", Apart), ("-v", Apart)]),
    program(&["sqlpackage"], &[]),
    // Settings.
    sets(&["git", "npm", "pnpm", "yarn", "bun", "pip", "pip3", "composer", "conda", "bundle", "cargo", "nmcli", "iwctl", "defaults",
        "setx", "set", "setenv", "export", "ENV", "ARG", "consul", "etcdctl", "vault", "snap", "gsettings", "dotenv", "pulumi", "wrangler",
        "gradle", "sysctl", "crudini", "yq", "jq"], None, &[]),
    // Archives, keys and signatures.
    program(&["7z", "7za", "7zr", "7zz", "rar", "unrar"], &[("-p", Attached), ("-hp", Attached)]),
    program(&["zip", "unzip", "zipcloak", "bsdtar"], &[("-P", Either)]),
    program(&["gpg", "gpg2", "gpgsm"], &[("--passphrase", Apart)]),
    program(&["openssl"], &[("-pass", Pass), ("-passin", Pass), ("-passout", Pass), ("-k", Apart), ("-K", Apart), ("-password", Pass),
        ("-hmac", Apart), ("-srppass", Apart), ("-psk", Apart)]),
    program(&["keytool", "jarsigner", "apksigner"], &[("-storepass", Apart), ("-keypass", Apart), ("-srcstorepass", Apart),
        ("-deststorepass", Apart), ("-srckeypass", Apart), ("-destkeypass", Apart), ("-new", Apart), ("--ks-pass", Pass), ("--key-pass", Pass)]),
    program(&["osslsigncode", "signtool", "codesign"], &[("-pass", Apart), ("/p", Apart)]),
    program(&["security"], &[("-w", Apart), ("-p", Apart), ("-P", Apart)]),
    program(&["qpdf", "pdftk", "pdftotext", "pdfinfo"], &[("-upw", Apart), ("-opw", Apart), ("--password", Apart)]),
    program(&["certutil"], &[("-p", Apart), ("-W", Apart)]),
    program(&["pk12util", "certreq"], &[("-W", Apart), ("-K", Apart)]),
    // Other machines.
    program(&["sshpass"], &[("-p", Either)]),
    program(&["plink", "pscp", "psftp", "putty", "plink.exe", "pscp.exe"], &[("-pw", Apart)]),
    program(&["smbclient", "rpcclient", "smbget", "smbcacls", "smbtree", "nmblookup", "wbinfo", "winexe", "wmic"],
        &[("-U", Percent), ("--user", Percent)]),
    program(&["smbmap", "crackmapexec", "netexec", "nxc", "evil-winrm", "hydra", "medusa", "rdesktop", "psexec", "kerbrute", "rabbitmqadmin",
        "racadm", "govc", "ansible-cmdb", "bloodhound-python", "ldapdomaindump"], &[("-p", Either)]),
    program(&["xfreerdp", "xfreerdp3", "wfreerdp"], &[("/p", Pair)]),
    program(&["cmdkey"], &[("/pass", Pair)]),
    program(&["ipmitool"], &[("-P", Either)]),
    program(&["snmpwalk", "snmpget", "snmpset", "snmpbulkwalk"], &[("-c", Apart), ("-A", Apart), ("-X", Apart)]),
    program(&["useradd", "usermod", "adduser"], &[("-p", Apart)]),
    program(&["sshfs", "mount", "mount.cifs"], &[]),
];

/// Programs whose secret is at a fixed position among the arguments. `_` stands for any word, `*`
/// for a token, and `**` for a password, which may be any word.
#[rustfmt::skip]
pub(super) const PLACES: &[&[&str]] = &[
    &["vault", "login", "*"],
    &["vault", "operator", "unseal", "*"],
    &["vault", "unseal", "*"],
    &["bao", "login", "*"],
    &["bao", "operator", "unseal", "*"],
    &["ngrok", "authtoken", "*"],
    &["ngrok", "config", "add-authtoken", "*"],
    &["cloudflared", "service", "install", "*"],
    &["snyk", "auth", "*"],
    &["wandb", "login", "*"],
    &["cargo", "login", "*"],
    &["nuget", "setapikey", "*"],
    &["travis", "encrypt", "*"],
    &["bw", "unlock", "**"],
    &["bw", "login", "_", "**"],
    &["twilio", "login", "_", "*"],
    &["cf", "auth", "_", "**"],
    &["poetry", "config", "pypi-token.", "*"],
    &["poetry", "config", "http-basic.", "_", "**"],
    &["composer", "config", "http-basic.", "_", "**"],
    &["composer", "config", "github-oauth.", "*"],
    &["pulumi", "config", "set", "_", "*"],
    &["rabbitmqctl", "add_user", "_", "**"],
    &["rabbitmqctl", "change_password", "_", "**"],
    &["rclone", "obscure", "**"],
    &["wpa_passphrase", "_", "**"],
    &["net", "user", "_", "**"],
    &["redis-cli", "auth", "**"],
    &["redis-cli", "AUTH", "**"],
    &["mkpasswd", "**"],
    &["minisign", "-W", "**"],
    &["htpasswd", "-b", "_", "_", "**"],
    &["htpasswd", "-nb", "_", "**"],
    &["heroku", "auth:token", "*"],
    &["doppler", "configure", "set", "token", "*"],
    &["tailscale", "login", "*"],
];

/// Programs that read a secret from their standard input. The second word must be among their
/// arguments for that.
#[rustfmt::skip]
pub(super) const STDIN: &[(&str, &str)] = &[
    ("sudo", "-S"), ("su", ""), ("chpasswd", ""), ("passwd", "--stdin"), ("docker", "--password-stdin"), ("podman", "--password-stdin"),
    ("nerdctl", "--password-stdin"), ("helm", "--password-stdin"), ("oras", "--password-stdin"), ("crane", "--password-stdin"),
    ("skopeo", "--password-stdin"), ("buildah", "--password-stdin"), ("regctl", "--pass-stdin"), ("pass", "insert"), ("gopass", "insert"), ("wrangler", "secret"),
    ("gcloud", "secrets"), ("gh", "secret"), ("gh", "--with-token"), ("glab", "--stdin"), ("kinit", ""), ("cryptsetup", ""),
    ("openssl", "stdin"), ("gpg", "--passphrase-fd"), ("vault", "login"), ("vault", "-"), ("fly", "secrets"), ("flyctl", "secrets"), ("vercel", "env"),
    ("htpasswd", "-i"), ("smbpasswd", "-s"), ("secret-tool", "store"), ("keyring", "set"), ("ansible-vault", "encrypt_string"),
    ("systemd-creds", "encrypt"), ("doppler", "secrets"), ("infisical", "secrets"), ("npx", "secret"), ("firebase", "functions:secrets:set"),
    ("kubeseal", ""), ("sops", ""), ("age", "-p"), ("vncpasswd", "-f"), ("mkpasswd", "-s"), ("argon2", ""), ("nix", "store"), ("aws", "file:///dev/stdin"),
    ("az", "@-"), ("op", "-"), ("bw", "unlock"), ("rbw", "unlock"), ("railway", "login"), ("supabase", "secrets"), ("modal", "secret"), ("hf", "login"),
    ("huggingface-cli", "login"), ("llm", "keys"), ("expect", ""), ("ssh-add", ""),
];

/// What the tables contain about a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgramEntry {
    name: &'static str,
    /// The program's options, if it is one of [`PROGRAMS`].
    pub(super) program: Option<&'static Program>,
    /// A bit for each of [`STDIN`] that belongs to the program.
    stdin: u64,
    /// A bit for each of [`PLACES`] that belongs to the program.
    places: u64,
}

impl ProgramEntry {
    /// Returns whether the program may read a secret from its standard input.
    pub(super) fn reads_secret(&self) -> bool {
        self.stdin != 0
    }

    /// Returns the words of which one must be among the program's arguments, for it to read a
    /// secret from its standard input.
    pub(super) fn stdin(&self) -> impl Iterator<Item = &'static str> + use<> {
        marked(STDIN, self.stdin).map(|(_, needed)| *needed)
    }

    /// Returns those of [`PLACES`] that belong to the program.
    pub(super) fn places(&self) -> impl Iterator<Item = &'static &'static [&'static str]> + use<> {
        marked(PLACES, self.places)
    }
}

/// Returns the rows of a table whose bits are set in `left`.
fn marked<T>(table: &'static [T], mut left: u64) -> impl Iterator<Item = &'static T> {
    std::iter::from_fn(move || {
        let row = table.get(left.trailing_zeros() as usize);
        left &= left.wrapping_sub(1);
        row
    })
}

/// The program names of all tables, each once, in buckets for a fast search.
struct Index {
    known: [ProgramEntry; NAMES],
    starts: [u16; BUCKETS + 1],
}

/// The capacity of [`Index::known`]. A name in several tables counts several times.
const NAMES: usize = count();
const BUCKETS: usize = 1 << 9;

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn count() -> usize {
    let (mut at, mut count) = (0, PLACES.len() + STDIN.len());
    while at < PROGRAMS.len() {
        count += PROGRAMS[at].names.len();
        at += 1;
    }
    count
}

static INDEX: Index = INDEX_OF;
const INDEX_OF: Index = index();

/// Returns the bucket of a program name, by its first letter, its last letter and its length.
const fn bucket(name: &[u8]) -> usize {
    match name {
        [first, .., last] => {
            let letters = (*first as usize) << 5 ^ (*last as usize) << 2;
            (letters ^ name.len()) & (BUCKETS - 1)
        }
        _ => 0,
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn is_equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

const NONE: ProgramEntry = ProgramEntry {
    name: "",
    program: None,
    stdin: 0,
    places: 0,
};

/// Returns the program names of all tables, each once and in the order of the tables, and how many
/// there are.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn listed() -> ([ProgramEntry; NAMES], usize) {
    let (mut known, mut count) = ([NONE; NAMES], 0);
    let mut at = 0;
    while at < PROGRAMS.len() {
        let names = PROGRAMS[at].names;
        let mut name = 0;
        while name < names.len() {
            known[count] = ProgramEntry {
                name: names[name],
                program: Some(&PROGRAMS[at]),
                ..NONE
            };
            count += 1;
            name += 1;
        }
        at += 1;
    }
    let mut at = 0;
    while at < PLACES.len() + STDIN.len() {
        let is_place = at < PLACES.len();
        let name = if is_place {
            PLACES[at][0]
        } else {
            STDIN[at - PLACES.len()].0
        };
        let mut place = 0;
        while place < count && !is_equal(known[place].name.as_bytes(), name.as_bytes()) {
            place += 1;
        }
        if place == count {
            known[count] = ProgramEntry { name, ..NONE };
            count += 1;
        }
        if is_place {
            known[place].places |= 1 << at;
        } else {
            known[place].stdin |= 1 << (at - PLACES.len());
        }
        at += 1;
    }
    (known, count)
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn index() -> Index {
    let (listed, count) = listed();
    let mut known = [NONE; NAMES];
    let mut starts = [0; BUCKETS + 1];
    let mut at = 0;
    while at < count {
        starts[bucket(listed[at].name.as_bytes())] += 1;
        at += 1;
    }
    // `starts` first has the end of each bucket. Each bucket is filled from its end, which leaves
    // the beginning of the bucket there.
    let (mut of, mut placed) = (0, 0);
    while of <= BUCKETS {
        placed += starts[of];
        starts[of] = placed;
        of += 1;
    }
    while at > 0 {
        at -= 1;
        let of = bucket(listed[at].name.as_bytes());
        starts[of] -= 1;
        known[starts[of] as usize] = listed[at];
    }
    Index { known, starts }
}

/// Returns the program name with index `at`, for the filter.
#[allow(clippy::indexing_slicing, reason = "the index is checked before")]
pub(super) const fn name(at: usize) -> Option<&'static [u8]> {
    if at >= INDEX_OF.starts[BUCKETS] as usize {
        return None;
    }
    Some(INDEX_OF.known[at].name.as_bytes())
}

/// Returns the entry of the program called `name`, if a table has it.
#[inline]
pub(super) fn known(name: &[u8]) -> Option<&'static ProgramEntry> {
    let bucket = bucket(name);
    let start = |bucket: usize| INDEX.starts.get(bucket).copied().map(usize::from);
    let known = INDEX.known.get(start(bucket)?..start(bucket + 1)?)?;
    known.iter().find(|known| known.name.as_bytes() == name)
}

/// The letters of curl's options without a value. One word may have several of them before an
/// option with a value.
pub(super) const CURL_FLAGS: &[u8] = b"sSkLfigGIvnNqajJlpRORBM0123460#Z";
